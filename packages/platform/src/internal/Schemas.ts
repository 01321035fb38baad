/**
 * Every Schema of the package: one file, as an Effect 4 edition will rewrite it. What is not named here is not shown by any
 * endpoint.
 */
import { CleanupPriority, ResourceId } from "@patinox/core"
import { liveStates, phases } from "@patinox/core/kernel"
import { Schema } from "effect"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

const count = Schema.NonNegativeInt

// --- health ---------------------------------------------------------------------------------------------------------

export const alive =
  /* @__PURE__ */ (() => Schema.Struct({ status: Schema.Literal("alive") }).annotations({ identifier: "Alive" }))()

const checks = /* @__PURE__ */ (() =>
  Schema.Array(
    Schema.Struct({
      name: Schema.String,
      status: Schema.Literal("passing", "failing", "timed out"),
      durationMillis: Schema.JsonNumber,
      error: optional(Schema.String)
    }).annotations({ identifier: "CheckResult" })
  ))()

export const ready =
  /* @__PURE__ */ (() =>
    Schema.Struct({ status: Schema.Literal("ready"), checks }).annotations({ identifier: "Ready" }))()

export const notReady =
  /* @__PURE__ */ (() =>
    Schema.Struct({ status: Schema.Literal("draining", "failing"), checks }).annotations({ identifier: "NotReady" }))()

// --- resources ------------------------------------------------------------------------------------------------------

/** Where a page ends: the age and id of its last resource. */
const cursor = /* @__PURE__ */ (() => Schema.String.pipe(Schema.pattern(/^-?\d+(\.\d+)?_[\da-f-]{36}$/i)))()

export const pageQuery = /* @__PURE__ */ (() =>
  Schema.Struct({
    limit: Schema.optionalWith(Schema.NumberFromString.pipe(Schema.int(), Schema.between(1, 1_000)), {
      default: () => 100
    }),
    after: optional(cursor)
  }))()

const resource = /* @__PURE__ */ (() =>
  Schema.Struct({
    id: ResourceId.schema,
    typeName: Schema.String,
    state: Schema.Literal(...liveStates),
    priority: CleanupPriority.schema,
    createdAt: Schema.JsonNumber,
    ageMillis: Schema.JsonNumber,
    stateMillis: Schema.JsonNumber,
    holders: count,
    leakSuspected: Schema.Boolean,
    dependencies: Schema.Array(ResourceId.schema),
    sizeBytes: optional(Schema.JsonNumber),
    spanName: optional(Schema.String),
    metadata: optional(Schema.Record({ key: Schema.String, value: Schema.String })),
    acquireStack: optional(Schema.String)
  }).annotations({ identifier: "Resource" }))()

const failedCleanup = /* @__PURE__ */ (() =>
  Schema.Struct({
    id: ResourceId.schema,
    typeName: Schema.String,
    outcome: Schema.String,
    attempts: count,
    failedAt: Schema.JsonNumber,
    retryable: Schema.Boolean,
    finishedLate: Schema.Boolean,
    error: optional(Schema.String),
    acquireStack: optional(Schema.String)
  }).annotations({ identifier: "FailedCleanup" }))()

export const resourcePage = /* @__PURE__ */ (() =>
  Schema.Struct({
    at: Schema.JsonNumber,
    phase: Schema.Literal(...phases),
    status: Schema.Literal("healthy", "degraded", "draining", "closed"),
    accounts: Schema.Struct({
      registered: count,
      live: count,
      inUse: count,
      waiting: count,
      cleaning: count,
      cleaned: count,
      recovered: count,
      failed: count,
      abandoned: count,
      disarmed: count
    }),
    acquiring: count,
    abandonedRunning: count,
    droppedEvents: count,
    sizeBytes: Schema.JsonNumber,
    resources: Schema.Array(resource),
    next: optional(cursor),
    deadLetters: count,
    newestDeadLetters: Schema.Array(failedCleanup)
  }).annotations({ identifier: "ResourcePage" }))()
