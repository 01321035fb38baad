import { describe, expect, it } from "@effect/vitest"
import { CleanupReport, ResourceId } from "@patinox/core"
import * as Messages from "../../src/internal/Messages.js"

const ids = ResourceId.sequential()

const record = (
  order: number,
  typeName: string,
  outcome: CleanupReport.CleanupRecord["outcome"],
  runMillis: number
): CleanupReport.CleanupRecord => ({
  order,
  id: ids.next(),
  typeName,
  priority: "Normal",
  outcome,
  attempts: 1,
  waitMillis: 0,
  runMillis,
  trigger: "scope",
  forced: false,
  usedFallback: false,
  startedAt: 0
})

const report = (...records: ReadonlyArray<CleanupReport.CleanupRecord>) =>
  CleanupReport.make({ records, durationMillis: 1_234, deadlineMillis: 24_000, deadlineReached: false })

const fiber = (id: number, span?: string): Messages.FiberLine => ({ id, span, ageMillis: 41_000 })

it.each([[0, "0 ms"], [999.4, "999 ms"], [999.6, "1 s"], [1_500, "1.5 s"], [25_000, "25 s"], [24_960, "25 s"]])(
  "%d ms are %s",
  (millis, text) => {
    expect(Messages.duration(millis)).toBe(text)
  }
)

describe("what still runs", () => {
  it("what still runs is the cleanups, each since when, and the fibers by id and span", () => {
    const left = {
      report: report(record(1, "Server", "cleaned", 5), record(2, "Database", "running", 1_900)),
      fibers: [fiber(7, "query"), fiber(8)]
    }
    expect(Messages.running(left)).toBe(
      "Database for 1.9 s, fiber #7 in span \"query\" (41 s old), fiber #8 (41 s old)"
    )
  })

  it("what still runs is nothing where all has ended", () => {
    expect(Messages.running({ report: report(record(1, "Server", "cleaned", 5)), fibers: [] })).toBeUndefined()
    expect(Messages.running({ report: undefined, fibers: [] })).toBeUndefined()
  })

  it("what still runs is not listed without an end", () => {
    const fibers = Array.from({ length: 1_000 }, (_, id) => fiber(id))
    expect(Messages.running({ report: undefined, fibers })).toMatch(/fiber #9 \(41 s old\), 990 more$/)
  })
})

it("the beginning tells the signal, the time, and the delay where there is one", () => {
  expect(Messages.begun("SIGTERM", 25_000, 0)).toBe("SIGTERM: shutting down, within 25 s")
  expect(Messages.begun("SIGINT", 25_000, 5_000)).toBe(
    "SIGINT: shutting down, within 25 s; not ready from now on, intake stops in 5 s"
  )
  expect(Messages.begun("SIGINT", Infinity, 0)).toBe("SIGINT: shutting down")
})

it("progress names what runs, and is silent where nothing does", () => {
  const left = { report: report(record(1, "Database", "running", 1_900)), fibers: [] }
  expect(Messages.progress(left, 2_000, 25_000)).toBe("Still shutting down after 2 s of 25 s: Database for 1.9 s")
  expect(Messages.progress(left, 2_000, Infinity)).toBe("Still shutting down after 2 s: Database for 1.9 s")
  expect(Messages.progress({ report: undefined, fibers: [] }, 2_000, 25_000)).toBeUndefined()
})

it("fibers that are abandoned are counted and named", () => {
  expect(Messages.abandoned([fiber(7, "query")], 20_000)).toBe(
    "Abandoned 1 fiber that ignored interruption for 20 s: fiber #7 in span \"query\" (41 s old)"
  )
})

describe("the end", () => {
  it("the end is a line where all was clean", () => {
    expect(Messages.ended(report(record(1, "Server", "cleaned", 5)), true, "SIGTERM", 1_300)).toBe(
      "Shut down in 1.3 s after SIGTERM: 1 resource in 1.2 s (deadline 24 s): 1 cleaned"
    )
  })

  it("the end is the table where something was not", () => {
    const unclean = report(record(1, "Server", "failed", 5))
    expect(Messages.ended(unclean, false, "SIGTERM", 1_300)).toBe(
      `Shut down in 1.3 s after SIGTERM, not cleanly:\n${CleanupReport.render(unclean)}`
    )
  })
})

describe("an end that nobody waits for", () => {
  it("tells what was left, and what has become of the rest", () => {
    const half = report(record(1, "Server", "cleaned", 5), record(2, "Database", "running", 400))
    expect(Messages.secondSignal("SIGINT", "SIGTERM", 130, { report: half, fibers: [] })).toBe(
      `SIGINT after SIGTERM: exits at once with 130.\nStill running: Database for 400 ms\n${CleanupReport.render(half)}`
    )
  })

  it("tells where no cleanup has begun", () => {
    expect(Messages.deadlinePassed(25_000, { report: undefined, fibers: [fiber(7)] })).toBe(
      "The deadline of 25 s has passed: exits with 1.\nStill running: fiber #7 (41 s old)\nNo cleanup has begun."
    )
  })
})

it("what is left open is counted by type", () => {
  expect(Messages.leftOpen(["Timeout", "TCPServerWrap", "Timeout"], 25_000)).toBe(
    "The program ended 25 s ago and the process is kept alive by 2 x Timeout, TCPServerWrap: exits."
  )
  expect(Messages.leftOpen([], 25_000)).toContain("kept alive by something unknown: exits.")
})
