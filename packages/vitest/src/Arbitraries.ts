/**
 * Arbitrary values for property tests with fast-check: every value of the core, faults, recovery plans, and whole programs
 * over guards and scopes.
 *
 * ```ts
 * import { CleanupError } from "@patinox/core"
 * import { Arbitraries } from "@patinox/vitest"
 * import * as fc from "fast-check"
 *
 * fc.assert(fc.property(Arbitraries.cleanupError, (error) => CleanupError.is(error) && error.message.length > 0))
 * ```
 */
import {
  CleanupError,
  CleanupPriority,
  CleanupReport,
  PatinoxError,
  type ResourceEvent,
  ResourceId,
  type ResourceInfo
} from "@patinox/core"
import { Cause, FiberId } from "effect"
import * as fc from "fast-check"

export {
  anyCommand,
  fault,
  guardPlan,
  policy,
  program,
  recoveryPlan,
  releaseFault
} from "./internal/ProgramArbitraries.js"

const text = fc.oneof(fc.string(), fc.fullUnicodeString())
const millis = fc.oneof(fc.nat(), fc.constant(Infinity))
const partial = { requiredKeys: [] }

// --- values ---------------------------------------------------------------------------------------------------------

/** Any id. */
export const id: fc.Arbitrary<ResourceId.ResourceId> = fc.uuid().map((uuid) => ResourceId.ResourceId(uuid))

/** Each priority. */
export const priority: fc.Arbitrary<CleanupPriority.CleanupPriority> = fc.constantFrom(...CleanupPriority.values)

/** Causes of every shape; its defects are text, as `Schema.Defect` keeps nothing else equal. */
export const cause: fc.Arbitrary<Cause.Cause<string>> = fc.letrec<{ cause: Cause.Cause<string> }>((tie) => ({
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

/** Any timeout. */
export const cleanupTimeout: fc.Arbitrary<CleanupError.CleanupTimeout> = fc
  .record({ ...resource, limitMillis: millis, stopped: fc.boolean(), attempts: fc.nat() })
  .map((fields) => new CleanupError.CleanupTimeout(fields))

/** Any second cleanup. */
export const alreadyCleanedUp: fc.Arbitrary<CleanupError.AlreadyCleanedUp> = fc
  .record(resource)
  .map((fields) => new CleanupError.AlreadyCleanedUp(fields))

/** Any failure, with causes of every shape. */
export const cleanupFailed: fc.Arbitrary<CleanupError.CleanupFailed<string>> = fc
  .record({ ...resource, cause, attempts: fc.nat() })
  .map((fields) => new CleanupError.CleanupFailed(fields))

/** Any refusal, with an id or without. */
export const registryShuttingDown: fc.Arbitrary<CleanupError.RegistryShuttingDown> = fc
  .record(resource, { requiredKeys: ["typeName"] })
  .map((fields) => new CleanupError.RegistryShuttingDown(fields))

/** Any missing dependency. */
export const unknownDependency: fc.Arbitrary<CleanupError.UnknownDependency> = fc
  .record({
    typeName: text,
    dependency: text,
    reason: fc.constantFrom("unknown" as const, "cleaned up" as const, "circular" as const)
  })
  .map((fields) => new CleanupError.UnknownDependency(fields))

/** What running a release can end with. */
export const releaseError: fc.Arbitrary<CleanupError.ReleaseError<string>> = fc.oneof(cleanupTimeout, cleanupFailed)

/** Any of the four. */
export const cleanupError: fc.Arbitrary<CleanupError.CleanupError<string>> = fc.oneof(
  cleanupTimeout,
  alreadyCleanedUp,
  cleanupFailed,
  registryShuttingDown
)

const retryAfter = fc.record({ retryAfterMillis: fc.nat() }, partial)
const because = fc.record({ cause: text.filter((value) => value !== "") }, partial)

/** Any kind of bad input; its `value`s are what JSON has a form for. */
export const validation: fc.Arbitrary<PatinoxError.Validation> = fc.oneof(
  fc.tuple(
    fc.record({ field: text, value: text, expected: text }),
    fc.record({ source: fc.constantFrom("input" as const, "option" as const) }, partial)
  ).map(([a, b]) => new PatinoxError.InvalidInput({ ...a, ...b })),
  fc.tuple(text, retryAfter).map(([operation, rest]) => new PatinoxError.RateLimited({ operation, ...rest })),
  fc.record({ operation: text, limitMillis: millis }).map((fields) => new PatinoxError.ValidationTimeout(fields))
).map((error) => new PatinoxError.Validation({ error }))

/** Any kind of failed work. */
export const execution: fc.Arbitrary<PatinoxError.Execution> = fc.oneof(
  fc.tuple(text, text, because)
    .map(([tool, reason, rest]) => new PatinoxError.ToolExecutionFailed({ tool, reason, ...rest })),
  fc.record({ expected: text, actual: text }).map((fields) => new PatinoxError.AgentStateMismatch(fields)),
  fc.tuple(text, text, because)
    .map(([resource, message, rest]) => new PatinoxError.ResourceExhausted({ resource, message, ...rest }))
).map((error) => new PatinoxError.Execution({ error }))

/** Any kind of failure of another party. */
export const network: fc.Arbitrary<PatinoxError.Network> = fc.oneof(
  fc.record({ endpoint: text, limitMillis: millis }).map((fields) => new PatinoxError.NetworkTimeout(fields)),
  fc.tuple(text, retryAfter).map(([endpoint, rest]) => new PatinoxError.NetworkRateLimited({ endpoint, ...rest })),
  fc.record({ endpoint: text, reason: text }, { requiredKeys: ["endpoint"] })
    .map((fields) => new PatinoxError.Unauthorized(fields)),
  fc.tuple(text, retryAfter).map(([endpoint, rest]) => new PatinoxError.ServiceUnavailable({ endpoint, ...rest }))
).map((error) => new PatinoxError.Network({ error }))

/** Any kind of wrong setup. */
export const configuration: fc.Arbitrary<PatinoxError.Configuration> = fc.oneof(
  text.map((path) => new PatinoxError.FileNotFound({ path })),
  fc.record({ source: text, expected: text }).map((fields) => new PatinoxError.InvalidFormat(fields)),
  text.map((key) => new PatinoxError.MissingRequired({ key }))
).map((error) => new PatinoxError.Configuration({ error }))

/** Any of the four groups, with every kind in them. */
export const patinoxError: fc.Arbitrary<PatinoxError.PatinoxError> = fc.oneof(
  validation,
  execution,
  network,
  configuration
)

const owner = fc.record({ fiberId: text, spanId: text, spanName: text }, { requiredKeys: ["fiberId"] })

/** Any description of a resource. */
export const resourceInfo: fc.Arbitrary<ResourceInfo.ResourceInfo> = fc.record({
  id,
  typeName: text,
  createdAt: fc.nat(),
  priority,
  sizeBytes: fc.nat(),
  // JSON.parse and Schema.Record disagree about this one name.
  metadata: fc.dictionary(text.filter((key) => key !== "__proto__"), text),
  dependencies: fc.array(id),
  owner,
  acquireStack: text
}, { requiredKeys: ["id", "typeName", "createdAt", "priority", "metadata", "dependencies", "owner"] })

/** How a resource can end. */
export const outcomes = CleanupReport.outcomes

/** What can set a cleanup off. */
export const triggers = CleanupReport.triggers satisfies ReadonlyArray<CleanupReport.Trigger>

const trigger = fc.constantFrom(...triggers)

const recordFields = {
  order: fc.nat(),
  ...resource,
  priority,
  outcome: fc.constantFrom(...outcomes, "running" as const, "acquiring" as const),
  attempts: fc.nat(),
  waitMillis: fc.nat(),
  runMillis: fc.nat(),
  trigger,
  forced: fc.boolean(),
  usedFallback: fc.boolean(),
  startedAt: fc.nat()
}

/** Any record of a report. */
export const record: fc.Arbitrary<CleanupReport.CleanupRecord> = fc.record(
  { ...recordFields, error: cleanupError },
  { requiredKeys: Object.keys(recordFields) as Array<keyof typeof recordFields> }
)

/** Any report; its totals are those of its records. */
export const report: fc.Arbitrary<CleanupReport.CleanupReport> = fc.record({
  records: fc.array(record),
  durationMillis: fc.nat(),
  deadlineMillis: millis,
  deadlineReached: fc.boolean()
}).map(CleanupReport.make)

const event = <Tag extends ResourceEvent.ResourceEvent["_tag"], Fields extends object>(
  tag: Tag,
  fields: { [K in keyof Fields]: fc.Arbitrary<Fields[K]> },
  optional: ReadonlyArray<keyof Fields> = []
) =>
  fc.record(
    { _tag: fc.constant(tag), at: fc.nat(), ...fields },
    {
      requiredKeys: [
        "_tag",
        "at",
        ...Object.keys(fields).filter((key) => !optional.includes(key as keyof Fields))
      ] as never
    }
  ) as fc.Arbitrary<never>

const subject = { ...resource, priority }

/** Any event, with every optional field there or not. */
export const resourceEvent: fc.Arbitrary<ResourceEvent.ResourceEvent> = fc.oneof(
  event("Registered", { ...subject, sizeBytes: fc.nat() }, ["sizeBytes"]),
  event("Scheduled", { ...subject, trigger }),
  event("Unscheduled", subject),
  event("Started", { ...subject, trigger, waitMillis: fc.nat(), forced: fc.boolean(), attempt: fc.constant(1) }),
  event("Slow", { ...subject, runMillis: fc.nat() }),
  event("Retried", { ...subject, attempt: fc.nat(), delayMillis: fc.nat(), error: cleanupError }),
  event("FellBack", { ...subject, error: cleanupError }),
  ...(["Cleaned", "Recovered", "Failed", "Abandoned"] as const).map((tag) => event(tag, { ...subject, record })),
  event("FinishedLate", subject),
  event("Disarmed", subject),
  event("LeakSuspected", { ...subject, ageMillis: fc.nat(), owner, acquireStack: text }, ["acquireStack"]),
  event("LeakResolved", { ...subject, ageMillis: fc.nat(), outcome: fc.constantFrom(...outcomes) }),
  event("Draining", { deadlineMillis: millis, live: fc.nat() }),
  event("Closed", { report })
)
