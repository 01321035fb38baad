import { assert, describe, expect, it } from "@effect/vitest"
import { Cause } from "effect"
import * as CleanupError from "../src/CleanupError.js"
import * as CleanupReport from "../src/CleanupReport.js"
import * as ResourceEvent from "../src/ResourceEvent.js"
import * as ResourceId from "../src/ResourceId.js"

const of = {
  at: 1000,
  id: ResourceId.ResourceId("00000000-0000-4000-8000-000000000001"),
  typeName: "Database",
  priority: "High"
} as const

const error = new CleanupError.CleanupFailed({
  id: of.id,
  typeName: of.typeName,
  cause: Cause.fail("connection\nreset"),
  attempts: 2
})

const record = (fields: Partial<CleanupReport.CleanupRecord>): CleanupReport.CleanupRecord => ({
  order: 1,
  id: of.id,
  typeName: of.typeName,
  priority: of.priority,
  outcome: "cleaned",
  attempts: 1,
  waitMillis: 0,
  runMillis: 12,
  trigger: "scope",
  forced: false,
  usedFallback: false,
  startedAt: 0,
  ...fields
})

const report = CleanupReport.make({
  records: [record({})],
  durationMillis: 12,
  deadlineMillis: 25_000,
  deadlineReached: false
})

/** One of each kind at least: the type makes sure that none is missing. */
const events: { readonly [Tag in ResourceEvent.ResourceEvent["_tag"]]: ReadonlyArray<ResourceEvent.ResourceEvent> } = {
  Registered: [{ ...of, _tag: "Registered" }, { ...of, _tag: "Registered", sizeBytes: 4096 }],
  Scheduled: [{ ...of, _tag: "Scheduled", trigger: "background" }],
  Unscheduled: [{ ...of, _tag: "Unscheduled" }],
  Started: [
    { ...of, _tag: "Started", trigger: "scope", waitMillis: 0, forced: false, attempt: 1 },
    { ...of, _tag: "Started", trigger: "shutdown", waitMillis: 20_000, forced: true, attempt: 1 }
  ],
  Slow: [{ ...of, _tag: "Slow", runMillis: 1000 }],
  Retried: [{ ...of, _tag: "Retried", attempt: 2, delayMillis: 104.3, error }],
  FellBack: [{ ...of, _tag: "FellBack", error }],
  Cleaned: [{ ...of, _tag: "Cleaned", record: record({}) }],
  Recovered: [
    { ...of, _tag: "Recovered", record: record({ outcome: "recovered", attempts: 2, usedFallback: true }) }
  ],
  Failed: [{ ...of, _tag: "Failed", record: record({ outcome: "failed", attempts: 4, error }) }],
  Abandoned: [{ ...of, _tag: "Abandoned", record: record({ outcome: "abandoned", runMillis: 10_000 }) }],
  FinishedLate: [{ ...of, _tag: "FinishedLate" }],
  Disarmed: [{ ...of, _tag: "Disarmed" }],
  LeakSuspected: [
    { ...of, _tag: "LeakSuspected", ageMillis: 600_000, owner: { fiberId: "#7" } },
    { ...of, _tag: "LeakSuspected", ageMillis: 600_000, owner: { fiberId: "#7", spanId: "ab", spanName: "GET /" } }
  ],
  LeakResolved: [{ ...of, _tag: "LeakResolved", ageMillis: 720_000, outcome: "cleaned" }],
  Draining: [
    { _tag: "Draining", at: 0, deadlineMillis: 25_000, live: 3 },
    { _tag: "Draining", at: 0, deadlineMillis: Infinity, live: 0 }
  ],
  Closed: [{ _tag: "Closed", at: 0, report }]
}

const all = Object.values(events).flat()

describe("ResourceEvent", () => {
  it("each event is one line that names the resource", () => {
    const lines = all.map(ResourceEvent.format)
    all.forEach((event, index) => {
      assert.notMatch(lines[index]!, /\p{Cc}/u)
      if ("id" in event) assert.isTrue(lines[index]!.startsWith(`Database (${of.id}) `))
    })
    expect(lines.map((line) => line.replaceAll(of.id, "id"))).toEqual([
      "Database (id) registered",
      "Database (id) registered, 4096 bytes",
      "Database (id) waits for cleanup (background)",
      "Database (id) no longer waits for cleanup",
      "Database (id) cleanup started (scope) after waiting 0 ms",
      "Database (id) cleanup started (shutdown, forced) after waiting 20 s",
      "Database (id) cleanup is slow: running for 1 s",
      "Database (id) attempt 2 in 104 ms: failed after 2 attempts: connection",
      "Database (id) falls back: failed after 2 attempts: connection",
      "Database (id) cleaned after 12 ms",
      "Database (id) recovered by its fallback after 12 ms and 2 attempts",
      "Database (id) failed after 12 ms: failed after 2 attempts: connection",
      "Database (id) abandoned after 10 s",
      "Database (id) abandoned cleanup has ended after all",
      "Database (id) disarmed: no cleanup will run",
      "Database (id) may be leaked: live for 10 min, held by fiber #7",
      "Database (id) may be leaked: live for 10 min, held by span GET /, fiber #7",
      "Database (id) was no leak: cleaned after 12 min",
      "Registry is draining: 3 live, deadline 25 s",
      "Registry is draining: 0 live, no deadline",
      "Registry closed: 1 resource in 12 ms (deadline 25 s): 1 cleaned"
    ])
  })

  it("five events are ends", () => {
    assert.deepStrictEqual(
      Object.entries(events).filter(([, [event]]) => ResourceEvent.isEnd(event!)).map(([tag]) => tag),
      ["Cleaned", "Recovered", "Failed", "Abandoned", "Disarmed"]
    )
  })

  it("ResourceEvent.is knows every event and nothing else", () => {
    for (const event of all) assert.isTrue(ResourceEvent.is(event))
    for (const value of [undefined, null, "Slow", {}, { _tag: "Slow" }, { _tag: "toString", at: 0 }, error]) {
      assert.isFalse(ResourceEvent.is(value))
    }
  })
})
