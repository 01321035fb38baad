/** Arbitrary values of the value modules: every kind of error, record and report. */
import { Cause, FiberId } from "effect"
import * as fc from "fast-check"
import * as CleanupError from "../src/CleanupError.js"
import * as CleanupPriority from "../src/CleanupPriority.js"
import * as CleanupReport from "../src/CleanupReport.js"
import * as PatinoxError from "../src/PatinoxError.js"
import * as ResourceId from "../src/ResourceId.js"
import type { ResourceInfo } from "../src/ResourceInfo.js"

const text = fc.oneof(fc.string(), fc.fullUnicodeString())
const millis = fc.oneof(fc.nat(), fc.constant(Infinity))
const partial = { requiredKeys: [] }

export const id = fc.uuid().map((uuid) => ResourceId.ResourceId(uuid))

export const priority = fc.constantFrom(...CleanupPriority.values)

/** Causes of every shape; its defects are text, as `Schema.Defect` keeps nothing else equal. */
const cause: fc.Arbitrary<Cause.Cause<string>> = fc.letrec<{ cause: Cause.Cause<string> }>((tie) => ({
  cause: fc.oneof(
    { maxDepth: 3 },
    fc.constant(Cause.empty as Cause.Cause<string>),
    text.map((error) => Cause.fail(error)),
    text.map((defect) => Cause.die(defect)),
    fc.tuple(fc.nat(), fc.nat()).map(([n, start]) => Cause.interrupt(FiberId.make(n, start))),
    fc.tuple(tie("cause"), tie("cause")).map(([a, b]) => Cause.sequential(a, b)),
    fc.tuple(tie("cause"), tie("cause")).map(([a, b]) => Cause.parallel(a, b))
  )
})).cause

const resource = { id, typeName: text }

export const cleanupError: fc.Arbitrary<CleanupError.CleanupError<string>> = fc.oneof(
  fc.record({ ...resource, limitMillis: millis, stopped: fc.boolean(), attempts: fc.nat() })
    .map((fields) => new CleanupError.CleanupTimeout(fields)),
  fc.record(resource).map((fields) => new CleanupError.AlreadyCleanedUp(fields)),
  fc.record({ ...resource, cause, attempts: fc.nat() }).map((fields) => new CleanupError.CleanupFailed(fields)),
  fc.record(resource, { requiredKeys: ["typeName"] }).map((fields) => new CleanupError.RegistryShuttingDown(fields))
)

const retryAfter = fc.record({ retryAfterMillis: fc.nat() }, partial)
const because = fc.record({ cause: text.filter((value) => value !== "") }, partial)

/** Every kind; its `value`s are what JSON has a form for. */
export const patinoxError: fc.Arbitrary<PatinoxError.PatinoxError> = fc.oneof(
  fc.oneof(
    fc.tuple(
      fc.record({ field: text, value: text, expected: text }),
      fc.record({ source: fc.constantFrom("input" as const, "option" as const) }, partial)
    ).map(([a, b]) => new PatinoxError.InvalidInput({ ...a, ...b })),
    fc.tuple(text, retryAfter).map(([operation, rest]) => new PatinoxError.RateLimited({ operation, ...rest })),
    fc.record({ operation: text, limitMillis: millis }).map((fields) => new PatinoxError.ValidationTimeout(fields))
  ).map((error) => new PatinoxError.Validation({ error })),
  fc.oneof(
    fc.tuple(text, text, because)
      .map(([tool, reason, rest]) => new PatinoxError.ToolExecutionFailed({ tool, reason, ...rest })),
    fc.record({ expected: text, actual: text }).map((fields) => new PatinoxError.AgentStateMismatch(fields)),
    fc.tuple(text, text, because)
      .map(([resource, message, rest]) => new PatinoxError.ResourceExhausted({ resource, message, ...rest }))
  ).map((error) => new PatinoxError.Execution({ error })),
  fc.oneof(
    fc.record({ endpoint: text, limitMillis: millis }).map((fields) => new PatinoxError.NetworkTimeout(fields)),
    fc.tuple(text, retryAfter).map(([endpoint, rest]) => new PatinoxError.NetworkRateLimited({ endpoint, ...rest })),
    fc.record({ endpoint: text, reason: text }, { requiredKeys: ["endpoint"] })
      .map((fields) => new PatinoxError.Unauthorized(fields)),
    fc.tuple(text, retryAfter).map(([endpoint, rest]) => new PatinoxError.ServiceUnavailable({ endpoint, ...rest }))
  ).map((error) => new PatinoxError.Network({ error })),
  fc.oneof(
    text.map((path) => new PatinoxError.FileNotFound({ path })),
    fc.record({ source: text, expected: text }).map((fields) => new PatinoxError.InvalidFormat(fields)),
    text.map((key) => new PatinoxError.MissingRequired({ key }))
  ).map((error) => new PatinoxError.Configuration({ error }))
)

export const resourceInfo: fc.Arbitrary<ResourceInfo> = fc.record({
  id,
  typeName: text,
  createdAt: fc.nat(),
  priority,
  sizeBytes: fc.nat(),
  // JSON.parse and Schema.Record disagree about this one name.
  metadata: fc.dictionary(text.filter((key) => key !== "__proto__"), text),
  dependencies: fc.array(id),
  owner: fc.record({ fiberId: text, spanId: text, spanName: text }, { requiredKeys: ["fiberId"] }),
  acquireStack: text
}, { requiredKeys: ["id", "typeName", "createdAt", "priority", "metadata", "dependencies", "owner"] })

export const outcomes = ["cleaned", "recovered", "failed", "abandoned", "disarmed"] as const

const triggers = [
  "scope",
  "cleanup",
  "cascade",
  "scheduled",
  "background",
  "forced",
  "shutdown",
  "leaked",
  "retried",
  "acquire"
] as const

export const record: fc.Arbitrary<CleanupReport.CleanupRecord> = fc.record({
  order: fc.nat(),
  id,
  typeName: text,
  priority,
  outcome: fc.constantFrom(...outcomes, "running" as const, "acquiring" as const),
  attempts: fc.nat(),
  waitMillis: fc.nat(),
  runMillis: fc.nat(),
  trigger: fc.constantFrom(...triggers),
  forced: fc.boolean(),
  usedFallback: fc.boolean(),
  error: cleanupError,
  startedAt: fc.nat()
}, {
  requiredKeys: [
    "order",
    "id",
    "typeName",
    "priority",
    "outcome",
    "attempts",
    "waitMillis",
    "runMillis",
    "trigger",
    "forced",
    "usedFallback",
    "startedAt"
  ]
})

export const report: fc.Arbitrary<CleanupReport.CleanupReport> = fc.record({
  records: fc.array(record),
  durationMillis: fc.nat(),
  deadlineMillis: millis,
  deadlineReached: fc.boolean()
}).map(CleanupReport.make)
