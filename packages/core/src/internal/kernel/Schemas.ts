/**
 * Every Schema of the package: one file, as an Effect 4 edition will rewrite it. The public modules derive theirs from
 * here, and only their types are imported, so that there is no cycle: classes arrive as parameters.
 * An app that uses no schema bundles none: nothing here runs unless a `schema` is used.
 *
 * @internal
 */
import { Inspectable, Schema } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type * as PatinoxError from "../../PatinoxError.js"
import { outcomes, priorities, triggers } from "./Vocabulary.js"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** A number of milliseconds that may be infinite, which JSON has no number for. */
const millis = /* @__PURE__ */ (() =>
  Schema.Union(
    Schema.JsonNumber,
    /* @__PURE__ */ Schema.transform(/* @__PURE__ */ Schema.Literal("Infinity"), Schema.Number, {
      strict: true,
      decode: () => Infinity,
      encode: () => "Infinity" as const
    })
  ))()

/** A value of any kind as JSON keeps it, or as text where JSON has no form for it. */
const jsonable = /* @__PURE__ */ (() =>
  Schema.transform(Schema.Unknown, Schema.Unknown, {
    strict: true,
    decode: (value) => value,
    encode: (value) => {
      try {
        return JSON.parse(JSON.stringify(value)) as unknown
      } catch {
        return Inspectable.toStringUnknown(value)
      }
    }
  }))()

export const resourceId = /* @__PURE__ */ (() => Schema.UUID.pipe(Schema.brand("ResourceId")))()

export const cleanupPriority = /* @__PURE__ */ (() => Schema.Literal(...priorities))()

export const resourceInfo = /* @__PURE__ */ (() =>
  Schema.Struct({
    id: resourceId,
    typeName: Schema.String,
    createdAt: Schema.JsonNumber,
    priority: cleanupPriority,
    sizeBytes: optional(Schema.JsonNumber),
    metadata: Schema.Record({ key: Schema.String, value: Schema.String }),
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
): Schema.Schema<
  A,
  { readonly _tag: A["_tag"]; readonly message?: string } & Schema.Struct.Encoded<F>,
  Schema.Struct.Context<F>
> => {
  // Data.TaggedError puts the tag on the prototype as the name.
  const tag: string = constructor.prototype.name
  return Schema.transform(
    Schema.Struct({ message: optional(Schema.String), ...fields, _tag: Schema.Literal(tag) }),
    Schema.declare((value): value is A => value instanceof constructor, { identifier: tag }),
    {
      strict: false,
      decode: ({ message, ...args }: any) => new constructor("message" in fields ? { ...args, message } : args),
      // Only fields that have a value: an optional field given as undefined counts as absent.
      encode: (error: any) =>
        Object.fromEntries(
          ["_tag", "message", ...Object.keys(fields)]
            .filter((key) => error[key] !== undefined)
            .map((key) => [key, error[key]])
        )
    }
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
  const cause = optional(Schema.Defect)
  const retryAfterMillis = optional(millis)
  return Schema.Union(
    tagged(of.Validation, {
      error: Schema.Union(
        tagged(of.InvalidInput, {
          field: String,
          value: jsonable,
          expected: String,
          source: optional(Schema.Literal("input", "option"))
        }),
        tagged(of.RateLimited, { operation: String, retryAfterMillis }),
        tagged(of.ValidationTimeout, { operation: String, limitMillis: millis })
      )
    }),
    tagged(of.Execution, {
      error: Schema.Union(
        tagged(of.ToolExecutionFailed, { tool: String, reason: String, cause }),
        tagged(of.AgentStateMismatch, { expected: String, actual: String }),
        tagged(of.ResourceExhausted, { resource: String, message: String, cause })
      )
    }),
    tagged(of.Network, {
      error: Schema.Union(
        tagged(of.NetworkTimeout, { endpoint: String, limitMillis: millis }),
        tagged(of.NetworkRateLimited, { endpoint: String, retryAfterMillis }),
        tagged(of.Unauthorized, { endpoint: String, reason: optional(String) }),
        tagged(of.ServiceUnavailable, { endpoint: String, retryAfterMillis })
      )
    }),
    tagged(of.Configuration, {
      error: Schema.Union(
        tagged(of.FileNotFound, { path: String }),
        tagged(of.InvalidFormat, { source: String, expected: String }),
        tagged(of.MissingRequired, { key: String })
      )
    })
  )
}

export type PatinoxErrorEncoded = Schema.Schema.Encoded<ReturnType<typeof patinoxError>>

export const cleanupError = (
  of: Classes<
    typeof CleanupError,
    "CleanupTimeout" | "AlreadyCleanedUp" | "CleanupFailed" | "RegistryShuttingDown"
  >
) =>
<E, I, R>(error: Schema.Schema<E, I, R>) => {
  const resource = { id: resourceId, typeName: Schema.String }
  const attempts = Schema.JsonNumber
  return Schema.Union(
    tagged(of.CleanupTimeout, { ...resource, limitMillis: millis, stopped: Schema.Boolean, attempts }),
    tagged(of.AlreadyCleanedUp, resource),
    tagged(of.CleanupFailed<E>, { ...resource, cause: Schema.Cause({ error, defect: Schema.Defect }), attempts }),
    tagged(of.RegistryShuttingDown, { ...resource, id: optional(resourceId) })
  )
}

interface EncodedOf<Tag extends string> {
  readonly _tag: Tag
  readonly message?: string
  readonly id: string
  readonly typeName: string
}

export type CleanupErrorEncoded<I> =
  | EncodedOf<"CleanupTimeout"> & {
    readonly limitMillis: number | "Infinity"
    readonly stopped: boolean
    readonly attempts: number
  }
  | EncodedOf<"AlreadyCleanedUp">
  | EncodedOf<"CleanupFailed"> & { readonly cause: Schema.CauseEncoded<I, unknown>; readonly attempts: number }
  | Omit<EncodedOf<"RegistryShuttingDown">, "id"> & { readonly id?: string }

export const cleanupReport = (errors: typeof CleanupError.schema) =>
  Schema.Struct({
    records: Schema.Array(Schema.Struct({
      order: Schema.JsonNumber,
      id: resourceId,
      typeName: Schema.String,
      priority: cleanupPriority,
      outcome: Schema.Literal(...outcomes, "running", "acquiring"),
      attempts: Schema.JsonNumber,
      waitMillis: Schema.JsonNumber,
      runMillis: Schema.JsonNumber,
      trigger: Schema.Literal(...triggers),
      forced: Schema.Boolean,
      usedFallback: Schema.Boolean,
      error: optional(errors(Schema.Defect)),
      startedAt: Schema.JsonNumber
    })),
    totals: Schema.Struct({
      total: Schema.JsonNumber,
      cleaned: Schema.JsonNumber,
      recovered: Schema.JsonNumber,
      failed: Schema.JsonNumber,
      abandoned: Schema.JsonNumber,
      disarmed: Schema.JsonNumber,
      stillRunning: Schema.JsonNumber,
      stillAcquiring: Schema.JsonNumber,
      forced: Schema.JsonNumber
    }),
    durationMillis: Schema.JsonNumber,
    deadlineMillis: millis,
    deadlineReached: Schema.Boolean
  })

export type CleanupReportEncoded = Schema.Schema.Encoded<ReturnType<typeof cleanupReport>>
