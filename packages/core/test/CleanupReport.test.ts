/** Shows `Vocabulary`. */
import { assert, describe, expect, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Cause, Equal, Schema } from "effect"
import * as fc from "fast-check"
import * as CleanupError from "../src/CleanupError.js"
import * as CleanupReport from "../src/CleanupReport.js"
import * as ResourceId from "../src/ResourceId.js"

const ids = ResourceId.sequential()

const record = (fields: Partial<CleanupReport.CleanupRecord>): CleanupReport.CleanupRecord => ({
  order: 1,
  id: ids.next(),
  typeName: "Database",
  priority: "Normal",
  outcome: "cleaned",
  attempts: 1,
  waitMillis: 0,
  runMillis: 12,
  trigger: "shutdown",
  forced: false,
  usedFallback: false,
  startedAt: 0,
  ...fields
})

const report = (
  records: ReadonlyArray<CleanupReport.CleanupRecord>,
  fields: Partial<CleanupReport.CleanupReport> = {}
) => CleanupReport.make({ records, durationMillis: 1200, deadlineMillis: 25_000, deadlineReached: false, ...fields })

const one = ResourceId.ResourceId("00000000-0000-4000-8000-000000000001")

describe("CleanupReport: totals", () => {
  it("every record is counted once by its outcome", () => {
    fc.assert(fc.property(arbitraries.report, ({ records, totals }) => {
      for (const outcome of arbitraries.outcomes) {
        assert.strictEqual(totals[outcome], records.filter((record) => record.outcome === outcome).length)
      }
      assert.strictEqual(totals.stillRunning, records.filter((record) => record.outcome === "running").length)
      assert.strictEqual(totals.stillAcquiring, records.filter((record) => record.outcome === "acquiring").length)
      assert.strictEqual(totals.forced, records.filter((record) => record.forced).length)
      const { forced: _, total, ...parts } = totals
      assert.strictEqual(total, records.length)
      assert.strictEqual(Object.values(parts).reduce((a, b) => a + b, 0), total)
    }))
  })

  it("records are in the order they were started, and the given array is left alone", () => {
    fc.assert(fc.property(fc.array(arbitraries.record), (records) => {
      const given = [...records]
      const made = report(records).records
      assert.deepStrictEqual(records, given)
      assert.sameMembers([...made], records)
      assert.deepStrictEqual(
        made.map((record) => record.order),
        given.map((record) => record.order).sort((a, b) => a - b)
      )
    }))
  })

  it("a CleanupReport is clean if nothing failed, was abandoned or is left, and the deadline was kept", () => {
    fc.assert(fc.property(arbitraries.report, (report) => {
      assert.strictEqual(
        CleanupReport.isClean(report),
        !report.deadlineReached &&
          report.records.every(({ outcome }) => ["cleaned", "recovered", "disarmed"].includes(outcome))
      )
    }))
    assert.isTrue(CleanupReport.isClean(report([])))
  })
})

describe("CleanupReport: rendering", () => {
  it("a CleanupReport is rendered as an aligned table and a summary", () => {
    const rendered = CleanupReport.render(report([
      record({
        order: 2,
        typeName: "app/HttpServer",
        priority: "Critical",
        runMillis: 1500,
        attempts: 2,
        outcome: "recovered"
      }),
      record({ order: 1, typeName: "Cache", waitMillis: 3 }),
      record({
        order: 3,
        priority: "Low",
        outcome: "failed",
        attempts: 4,
        usedFallback: true,
        forced: true,
        error: new CleanupError.CleanupFailed({
          id: one,
          typeName: "Database",
          cause: Cause.fail("reset\nby peer"),
          attempts: 4
        })
      }),
      record({ order: 4, outcome: "running", runMillis: 10_000, trigger: "scope" })
    ], { deadlineReached: true }))
    expect(rendered.split("\n")).toEqual([
      "#  priority  type            outcome            attempts  wait    run  trigger            error",
      "1  Normal    Cache           cleaned                   1  3 ms  12 ms  shutdown",
      "2  Critical  app/HttpServer  recovered                 2  0 ms  1.5 s  shutdown",
      "3  Low       Database        failed (fallback)         4  0 ms  12 ms  shutdown (forced)  failed after 4 attempts: reset",
      "4  Normal    Database        running                   1  0 ms   10 s  scope",
      "4 resources in 1.2 s (deadline 25 s reached): 1 cleaned, 1 recovered, 1 failed, 1 still running, 1 forced"
    ])
  })

  it("columns stay aligned under wide scripts, emoji and combining marks", () => {
    const rendered = CleanupReport.render(report([
      record({ typeName: "データベース" }),
      record({ order: 2, typeName: "🚀 launcher" }),
      record({ order: 3, typeName: "cafe\u0301" }),
      record({ order: 4, typeName: "tab\there\nnext" })
    ]))
    expect(rendered.split("\n")).toEqual([
      "#  priority  type          outcome  attempts  wait    run  trigger   error",
      "1  Normal    データベース  cleaned         1  0 ms  12 ms  shutdown",
      "2  Normal    🚀 launcher   cleaned         1  0 ms  12 ms  shutdown",
      "3  Normal    café          cleaned         1  0 ms  12 ms  shutdown",
      "4  Normal    tab here      cleaned         1  0 ms  12 ms  shutdown",
      "4 resources in 1.2 s (deadline 25 s): 4 cleaned"
    ])
  })

  it("a CleanupReport of very many shows so many rows as asked for, what did not end well first, and counts the rest", () => {
    const many = report([
      ...Array.from({ length: 150_000 }, (_, index) => record({ order: index + 1, runMillis: 0 })),
      record({ order: 150_001, outcome: "recovered" }),
      record({ order: 150_002, outcome: "failed" }),
      record({ order: 150_003, outcome: "running" })
    ])
    const lines = CleanupReport.render(many, { maxRows: 4 }).split("\n")
    expect(lines.slice(1).map((line) => line.trim().split(/ +/)[0])).toEqual([
      "150002",
      "150003",
      "150001",
      "1",
      "...",
      "150003"
    ])
    expect(lines[5]).toBe("... and 149999 more")
    expect(CleanupReport.render(many).split("\n")).toHaveLength(150_005)
    expect(CleanupReport.render(report([record({})]), { maxRows: 1 })).toBe(CleanupReport.render(report([record({})])))
  })

  it("nothing to clean up is a summary alone", () => {
    assert.strictEqual(CleanupReport.render(report([])), "0 resources in 1.2 s (deadline 25 s)")
    assert.strictEqual(
      CleanupReport.summary(report([], { deadlineMillis: Infinity })),
      "0 resources in 1.2 s (no deadline)"
    )
  })

  it("a rendered CleanupReport has a line for each record, one for the head and one for the summary", () => {
    fc.assert(fc.property(arbitraries.report, (report) => {
      const lines = CleanupReport.render(report).split("\n")
      assert.lengthOf(lines, report.records.length === 0 ? 1 : report.records.length + 2)
      for (const line of lines) assert.notMatch(line, /\p{Cc}/u)
    }))
  })
})

describe("CleanupReport: schema", () => {
  it("goes through JSON and back with its errors' tags and messages", () => {
    fc.assert(fc.property(arbitraries.report, (report) => {
      const json = JSON.parse(JSON.stringify(Schema.encodeSync(CleanupReport.schema)(report)))
      const back = Schema.decodeUnknownSync(CleanupReport.schema)(json)
      assert.deepStrictEqual({ ...back, records: [] }, { ...report, records: [] })
      assert.strictEqual(CleanupReport.render(back), CleanupReport.render(report))
      report.records.forEach(({ error, ...rest }, index) => {
        const { error: backError, ...backRest } = back.records[index]!
        assert.deepStrictEqual(backRest, rest)
        assert.isTrue(Equal.equals(backError, error))
        assert.strictEqual(json.records[index].error?._tag, error?._tag)
        assert.strictEqual(json.records[index].error?.message, error?.message)
      })
    }))
  })
})
