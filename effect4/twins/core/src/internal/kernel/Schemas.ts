/**
 * Every Schema of the package: one file, written for Effect 4. The public modules derive theirs from
 * here, and only their types are imported, so that there is no cycle: classes arrive as parameters.
 * An app that uses no schema bundles none: nothing here runs unless a `schema` is used.
 *
 * @internal
 */
import { Inspectable, Schema, SchemaGetter } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type * as PatinoxError from "../../PatinoxError.js"
import { outcomes, priorities, triggers } from "./Vocabulary.js"

const optional = Schema.optionalKey

/** A number of milliseconds that may be infinite, which JSON has no number for. */
const millis = /* @__PURE__ */ (() =>
  Schema.Union([
    Schema.Finite,
    Schema.Literal("Infinity").pipe(Schema.decodeTo(Schema.Number, {
      decode: SchemaGetter.transform(() => Infinity),
      encode: SchemaGetter.transform(() => "Infinity" as const)
    }))
  ]))()

/** A value of any kind as JSON keeps it, or as text where JSON has no form for it. */
const jsonable = /* @__PURE__ */ (() =>
  Schema.Unknown.pipe(Schema.decodeTo(Schema.Unknown, {
    decode: SchemaGetter.passthrough(),
    encode: SchemaGetter.transform((value) => {
      try {
        return JSON.parse(JSON.stringify(value)) as unknown
      } catch {
        return typeof value === "object" ? Inspectable.toStringUnknown(value) : String(value)
      }
    })
  })))()

export const resourceId =
  /* @__PURE__ */ (() => Schema.String.check(Schema.isUUID()).pipe(Schema.brand("ResourceId")))()

export const cleanupPriority = /* @__PURE__ */ (() => Schema.Literals(priorities))()

export const resourceInfo = /* @__PURE__ */ (() =>
  Schema.Struct({
    id: resourceId,
    typeName: Schema.String,
    createdAt: Schema.Finite,
    priority: cleanupPriority,
    sizeBytes: optional(Schema.Finite),
    metadata: Schema.Record(Schema.String, Schema.String),
    dependencies: Schema.Array(resourceId),
    owner: Schema.Struct({
      fiberId: Schema.String,
      spanId: optional(Schema.String),
      spanName: optional(Schema.String)
    }),
    acquireStack: optional(Schema.String)
  }))()

type New<A> = new(args: any) => A

/**
 * A tagged error as a record of its tag, its fields and its message, which readers of the JSON want and decoding
 * ignores, as the class computes it (unless it is a field).
 */
const tagged = <A extends { readonly _tag: string; readonly message: string }, F extends Schema.Struct.Fields>(
  constructor: New<A>,
  fields: F
): Schema.Codec<
  A,
  { readonly _tag: A["_tag"]; readonly message?: string } & Schema.Struct.Encoded<F>,
  Schema.Struct.DecodingServices<F>,
  Schema.Struct.EncodingServices<F>
> => {
  // Data.TaggedError puts the tag on the prototype as the name.
  const tag: string = constructor.prototype.name
  const names = ["_tag", "message", ...Object.keys(fields)]
  return Schema.Struct({ message: optional(Schema.String), ...fields, _tag: Schema.Literal(tag) }).pipe(
    Schema.decodeTo(
      Schema.declare((value): value is A => value instanceof constructor, { identifier: tag }),
      {
        decode: SchemaGetter.transform(({ _tag, message, ...args }: any) =>
          new constructor("message" in fields ? { ...args, message } : args)
        ),
        // Only what is there: an optional field given as undefined counts as absent.
        encode: SchemaGetter.transform((error: any) =>
          Object.fromEntries(
            names.filter((key) => error[key] !== undefined || fields[key] === jsonable).map((key) => [key, error[key]])
          ) as any
        )
      }
    )
  ) as never
}

/** The members of a module that are error classes. */
type Classes<M, Tag extends keyof M> = { readonly [K in Tag]: M[K] }

export const patinoxError = (
  of: Classes<
    typeof PatinoxError,
    | "Validation"
    | "Execution"
    | "Network"
    | "Configuration"
    | "InvalidInput"
    | "RateLimited"
    | "ValidationTimeout"
    | "ToolExecutionFailed"
    | "AgentStateMismatch"
    | "ResourceExhausted"
    | "NetworkTimeout"
    | "NetworkRateLimited"
    | "Unauthorized"
    | "ServiceUnavailable"
    | "FileNotFound"
    | "InvalidFormat"
    | "MissingRequired"
  >
) => {
  const { String } = Schema
  const cause = optional(Schema.Defect())
  const retryAfterMillis = optional(millis)
  return Schema.Union([
    tagged(of.Validation, {
      error: Schema.Union([
        tagged(of.InvalidInput, {
          field: String,
          value: jsonable,
          expected: String,
          source: optional(Schema.Literals(["input", "option"]))
        }),
        tagged(of.RateLimited, { operation: String, retryAfterMillis }),
        tagged(of.ValidationTimeout, { operation: String, limitMillis: millis })
      ])
    }),
    tagged(of.Execution, {
      error: Schema.Union([
        tagged(of.ToolExecutionFailed, { tool: String, reason: String, cause }),
        tagged(of.AgentStateMismatch, { expected: String, actual: String }),
        tagged(of.ResourceExhausted, { resource: String, message: String, cause })
      ])
    }),
    tagged(of.Network, {
      error: Schema.Union([
        tagged(of.NetworkTimeout, { endpoint: String, limitMillis: millis }),
        tagged(of.NetworkRateLimited, { endpoint: String, retryAfterMillis }),
        tagged(of.Unauthorized, { endpoint: String, reason: optional(String) }),
        tagged(of.ServiceUnavailable, { endpoint: String, retryAfterMillis })
      ])
    }),
    tagged(of.Configuration, {
      error: Schema.Union([
        tagged(of.FileNotFound, { path: String }),
        tagged(of.InvalidFormat, { source: String, expected: String }),
        tagged(of.MissingRequired, { key: String })
      ])
    })
  ])
}

export type PatinoxErrorEncoded = ReturnType<typeof patinoxError>["Encoded"]

export const cleanupError = (
  of: Classes<
    typeof CleanupError,
    "CleanupTimeout" | "AlreadyCleanedUp" | "CleanupFailed" | "RegistryShuttingDown"
  >
) =>
<E, I, R>(error: Schema.Codec<E, I, R, R>) => {
  const resource = { id: resourceId, typeName: Schema.String }
  const attempts = Schema.Finite
  return Schema.Union([
    tagged(of.CleanupTimeout, { ...resource, limitMillis: millis, stopped: Schema.Boolean, attempts }),
    tagged(of.AlreadyCleanedUp, resource),
    tagged(of.CleanupFailed<E>, {
      ...resource,
      cause: Schema.toCodecJson(Schema.Cause(error, Schema.Defect())),
      attempts
    }),
    tagged(of.RegistryShuttingDown, { ...resource, id: optional(resourceId) })
  ])
}

interface EncodedOf<Tag extends string> {
  readonly _tag: Tag
  readonly message?: string
  readonly id: string
  readonly typeName: string
}

// oxlint-disable-next-line no-unused-vars -- a cause is encoded to JSON, whatever its error is encoded to
export type CleanupErrorEncoded<_I> =
  | EncodedOf<"CleanupTimeout"> & {
    readonly limitMillis: number | "Infinity"
    readonly stopped: boolean
    readonly attempts: number
  }
  | EncodedOf<"AlreadyCleanedUp">
  | EncodedOf<"CleanupFailed"> & { readonly cause: Schema.Json; readonly attempts: number }
  | Omit<EncodedOf<"RegistryShuttingDown">, "id"> & { readonly id?: string }

export const cleanupReport = (errors: typeof CleanupError.schema) =>
  Schema.Struct({
    records: Schema.Array(Schema.Struct({
      order: Schema.Finite,
      id: resourceId,
      typeName: Schema.String,
      priority: cleanupPriority,
      outcome: Schema.Literals([...outcomes, "running", "acquiring"]),
      attempts: Schema.Finite,
      waitMillis: Schema.Finite,
      runMillis: Schema.Finite,
      trigger: Schema.Literals(triggers),
      forced: Schema.Boolean,
      usedFallback: Schema.Boolean,
      error: optional(errors(Schema.Defect())),
      startedAt: Schema.Finite
    })),
    totals: Schema.Struct({
      total: Schema.Finite,
      cleaned: Schema.Finite,
      recovered: Schema.Finite,
      failed: Schema.Finite,
      abandoned: Schema.Finite,
      disarmed: Schema.Finite,
      stillRunning: Schema.Finite,
      stillAcquiring: Schema.Finite,
      forced: Schema.Finite
    }),
    durationMillis: Schema.Finite,
    deadlineMillis: millis,
    deadlineReached: Schema.Boolean
  })

export type CleanupReportEncoded = ReturnType<typeof cleanupReport>["Encoded"]
