/**
 * How the cleanup of a resource can go wrong. `ReleaseError` is what running a release can end with and what a
 * `RecoveryPolicy` decides about; `CleanupError` adds what calling for a cleanup can end with. Each names its resource
 * by type and id and says what happened, for how long, and what is left behind.
 */
import type { Option, Schema } from "effect"
import { Cause } from "effect"
import * as Schemas from "./internal/kernel/Schemas.js"
import { TaggedError } from "./internal/kernel/TaggedError.js"
import * as Text from "./internal/kernel/Text.js"
import type { recoveryStrategies } from "./internal/kernel/Vocabulary.js"
import * as PatinoxError from "./PatinoxError.js"
import type { ResourceId } from "./ResourceId.js"

/** The cleanup did not end within its limit. Not `stopped`, it was abandoned: it may still be using the resource. */
export class CleanupTimeout extends /* @__PURE__ */ TaggedError("CleanupTimeout")<{
  readonly id: ResourceId
  readonly typeName: string
  readonly limitMillis: number
  readonly stopped: boolean
  readonly attempts: number
}> {
  override get message(): string {
    return `Cleanup of ${Text.resource(this)} timed out after ${Text.duration(this.limitMillis)} and ${
      Text.count(this.attempts, "attempt")
    }; ${this.stopped ? "it was stopped" : "it did not stop, was abandoned and may still be running"}`
  }
}

/** The resource is gone: cleaned up, disarmed or on its way. */
export class AlreadyCleanedUp extends /* @__PURE__ */ TaggedError("AlreadyCleanedUp")<{
  readonly id: ResourceId
  readonly typeName: string
}> {
  override get message(): string {
    return `${Text.resource(this)} has already been cleaned up; acquire it anew to use it`
  }
}

/**
 * The release failed. `cause` is all of it, defects and interruption included; `error` the typed failure, which a
 * defect has none of.
 *
 * ```ts
 * import { CleanupError, ResourceId } from "@patinox/core"
 * import { Cause, Option } from "effect"
 *
 * const failed = new CleanupError.CleanupFailed({
 *   id: ResourceId.sequential().next(),
 *   typeName: "Database",
 *   cause: Cause.fail("connection reset" as const),
 *   attempts: 2
 * })
 * console.log(Option.getOrNull(failed.error)) // => connection reset
 * console.log(failed.message) // =>
 * // Cleanup of Database (00000000-0000-4000-8000-000000000001) failed after 2 attempts: connection reset
 * ```
 */
export class CleanupFailed<out E = unknown> extends /* @__PURE__ */ TaggedError("CleanupFailed")<{
  readonly id: ResourceId
  readonly typeName: string
  readonly cause: Cause.Cause<any>
  readonly attempts: number
}> {
  declare readonly cause: Cause.Cause<E>
  // oxlint-disable-next-line no-useless-constructor -- so that E is inferred from the cause
  constructor(fields: {
    readonly id: ResourceId
    readonly typeName: string
    readonly cause: Cause.Cause<E>
    readonly attempts: number
  }) {
    super(fields)
  }
  get error(): Option.Option<E> {
    return Cause.failureOption(this.cause)
  }
  override get message(): string {
    return `Cleanup of ${Text.resource(this)} failed after ${Text.count(this.attempts, "attempt")}: ${
      Text.unknown(Cause.squash(this.cause))
    }`
  }
}

/** The registry is shutting down and accepts nothing new. */
export class RegistryShuttingDown extends /* @__PURE__ */ TaggedError("RegistryShuttingDown")<{
  readonly typeName: string
  readonly id?: ResourceId
}> {
  override get message(): string {
    return `The resource registry is shutting down and no longer accepts ${Text.resource(this)}`
  }
}

/** A resource depends on something that the registry does not know or no longer has, or that depends on it in turn. */
export class UnknownDependency extends /* @__PURE__ */ TaggedError("UnknownDependency")<{
  /** Of the resource that depends. */
  readonly typeName: string
  /** The id or the Tag's key that was given. */
  readonly dependency: string
  /** `circular`: by a refresh, as nothing else can depend on what came after it. */
  readonly reason: "unknown" | "cleaned up" | "circular"
}> {
  override get message(): string {
    return `${this.typeName} depends on ${this.dependency}, which ${dependencyReasons[this.reason]}`
  }
}

const dependencyReasons = {
  "unknown": "no guard of this registry has",
  "cleaned up": "has already been cleaned up",
  "circular": "depends on it in turn"
}

/** What running a release can end with. */
export type ReleaseError<E> = CleanupTimeout | CleanupFailed<E>

/** What calling for a cleanup can end with. */
export type CleanupError<E> = ReleaseError<E> | AlreadyCleanedUp | RegistryShuttingDown

/** What to do about a failed release. */
export type RecoveryStrategy = (typeof recoveryStrategies)[number]

const strategies: { readonly [Tag in CleanupError<unknown>["_tag"]]: RecoveryStrategy } = {
  CleanupTimeout: "Retry",
  CleanupFailed: "Fallback",
  AlreadyCleanedUp: "Fail",
  RegistryShuttingDown: "Fail"
}

/**
 * What is done about an error unless a policy says otherwise: a timeout is retried, a failure goes to the fallback,
 * the other two are final.
 */
export const recoveryStrategy = (error: CleanupError<unknown>): RecoveryStrategy => strategies[error._tag]

const classes = { CleanupTimeout, AlreadyCleanedUp, CleanupFailed, RegistryShuttingDown }

/** Whether a value is one of the four. */
export const is = (value: unknown): value is CleanupError<unknown> =>
  Object.values(classes).some((error) => value instanceof error)

/** The error as an `Execution` around a `ResourceExhausted`: the message is kept, the error is its `cause`. */
export const toPatinoxError = (error: CleanupError<unknown>): PatinoxError.Execution =>
  new PatinoxError.Execution({
    error: new PatinoxError.ResourceExhausted({ resource: error.typeName, message: error.message, cause: error })
  })

/** The JSON form of a `CleanupError<E>` whose `E` encodes as `I`: tag, fields and the message. */
export type Encoded<I> = Schemas.CleanupErrorEncoded<I>

/**
 * A `CleanupError` as JSON and back, by a schema of its typed error. Defects in the cause come back as
 * `Schema.Defect` keeps them: an error's name and message.
 */
export const schema: <E, I, R>(error: Schema.Schema<E, I, R>) => Schema.Schema<CleanupError<E>, Encoded<I>, R> =
  /* @__PURE__ */ Schemas.cleanupError(classes)
