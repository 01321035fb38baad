/**
 * How a borrow can fail. Each error names the pool and says what it was like at that moment, and with what creating items
 * fails. Errors of what the caller does with an item are the caller's own, and not among these.
 */
import { type CleanupError, PatinoxError } from "@patinox/core"
import { TaggedError, Text, UserFunction } from "@patinox/core/kernel"
import { Cause, Option } from "effect"
import type { ItemOperation, PoolStage } from "./internal/state/Vocabulary.js"

export type { PoolStage } from "./internal/state/Vocabulary.js"

/** How many items and borrowers there were. */
export interface PoolCounts {
  /** Idle, in use, being created and being destroyed. */
  readonly total: number
  readonly idle: number
  readonly inUse: number
  readonly creating: number
  readonly destroying: number
  /** Borrowers that wait. */
  readonly waiting: number
}

const countsText = ({ creating, destroying, idle, inUse, total, waiting }: PoolCounts): string =>
  [
    `total ${total}`,
    `idle ${idle}`,
    `in use ${inUse}`,
    ...(creating > 0 ? [`creating ${creating}`] : []),
    ...(destroying > 0 ? [`destroying ${destroying}`] : []),
    `waiting ${waiting}`
  ].join(", ")

const squashed = (cause: Cause.Cause<unknown>): string => Text.line(Text.unknown(Cause.squash(cause)))

/** Creating an item took longer than it may. */
export class PoolCreateTimeout extends /* @__PURE__ */ TaggedError("PoolCreateTimeout")<{
  readonly pool: string
  readonly limitMillis: number
}> {
  override get message(): string {
    return `Pool ${this.pool}: creating an item took longer than ${Text.duration(this.limitMillis)}`
  }
}

/** One of the pool's functions took longer than it may; the item is destroyed. */
export class PoolOperationTimeout extends /* @__PURE__ */ TaggedError("PoolOperationTimeout")<{
  readonly pool: string
  readonly operation: ItemOperation
  readonly limitMillis: number
}> {
  override get message(): string {
    return `Pool ${this.pool}: ${this.operation} took longer than ${Text.duration(this.limitMillis)}`
  }
}

/** A new item was unfit: its first validation failed, or it was invalidated meanwhile. */
export class PoolItemUnfit extends /* @__PURE__ */ TaggedError("PoolItemUnfit")<{
  readonly pool: string
  readonly cause: Cause.Cause<any>
}> {
  declare readonly cause: Cause.Cause<unknown>
  override get message(): string {
    return `Pool ${this.pool}: a new item was unfit: ${squashed(this.cause)}`
  }
}

/** Why an item was not created: an error of its own, the time limit, an unfit result, or a closed registry. */
export type CreationError<E> = E | PoolCreateTimeout | PoolItemUnfit | CleanupError.RegistryShuttingDown

const stages: { readonly [Stage in PoolStage]: string } = {
  waiting: "waiting for an item to be returned",
  creating: "waiting for an item to be created",
  validating: "validating an item"
}

/** No item was available in time. The counts are its own fields, too. */
export class PoolTimeout<out E = unknown> extends /* @__PURE__ */ TaggedError("PoolTimeout")<{
  readonly pool: string
  readonly stage: PoolStage
  readonly limitMillis: number
  readonly counts: PoolCounts
  readonly lastCreationFailure: Option.Option<Cause.Cause<any>>
}> {
  declare readonly lastCreationFailure: Option.Option<Cause.Cause<CreationError<E>>>
  get total(): number {
    return this.counts.total
  }
  get idle(): number {
    return this.counts.idle
  }
  get inUse(): number {
    return this.counts.inUse
  }
  get waiting(): number {
    return this.counts.waiting
  }
  override get message(): string {
    const failure = Option.match(this.lastCreationFailure, {
      onNone: () => "",
      onSome: (cause) => `; the last creation failed with ${squashed(cause)}`
    })
    const limit = Text.duration(this.limitMillis)
    return `Pool ${this.pool}: timed out after ${limit} ${stages[this.stage]} (${countsText(this.counts)})${failure}`
  }
}

/** No item is idle, and waiting is not wanted or not allowed. */
export class PoolExhausted extends /* @__PURE__ */ TaggedError("PoolExhausted")<{
  readonly pool: string
  readonly counts: PoolCounts
  /** How many may wait; 0 where the borrower did not want to. */
  readonly maxWaiters: number
}> {
  override get message(): string {
    return `Pool ${this.pool} is exhausted: ${this.reason} (${countsText(this.counts)})`
  }
  private get reason(): string {
    if (this.maxWaiters > 0) return `no more than ${Text.count(this.maxWaiters, "borrower")} may wait`
    return this.counts.idle > 0 ? "it is suspended" : "no item is idle"
  }
}

/** The pool lends no more items: it drains, or has closed. */
export class PoolClosed extends /* @__PURE__ */ TaggedError("PoolClosed")<{ readonly pool: string }> {
  override get message(): string {
    return `Pool ${this.pool} is closed`
  }
}

/** Items cannot be created for now: `failures` attempts in a row have failed, the last with `cause`. */
export class PoolCreationFailed<out E = unknown> extends /* @__PURE__ */ TaggedError("PoolCreationFailed")<{
  readonly pool: string
  readonly cause: Cause.Cause<any>
  readonly failures: number
}> {
  declare readonly cause: Cause.Cause<CreationError<E>>
  /** The typed failure, which a defect has none of. */
  get error(): Option.Option<CreationError<E>> {
    return Cause.failureOption(this.cause)
  }
  override get message(): string {
    return `Pool ${this.pool} cannot create items (${Text.count(this.failures, "failure")} in a row): ${
      squashed(this.cause)
    }`
  }
}

/** Every idle item was found unfit, and the borrower did not want to wait for another. */
export class PoolValidationFailed extends /* @__PURE__ */ TaggedError("PoolValidationFailed")<{
  readonly pool: string
  readonly cause: Cause.Cause<any>
}> {
  declare readonly cause: Cause.Cause<unknown>
  override get message(): string {
    return `Pool ${this.pool}: no idle item passed its validation: ${squashed(this.cause)}`
  }
}

/** What a borrow can fail with; `E` is what creating an item fails with. */
export type PoolError<E> = PoolTimeout<E> | PoolExhausted | PoolClosed | PoolCreationFailed<E> | PoolValidationFailed

/** What to do about an error. */
export type RecoveryStrategy = CleanupError.RecoveryStrategy

const strategies: { readonly [Tag in PoolError<unknown>["_tag"]]: RecoveryStrategy } = {
  PoolTimeout: "Retry",
  PoolExhausted: "Retry",
  PoolClosed: "Fail",
  PoolCreationFailed: "Fallback",
  PoolValidationFailed: "Retry"
}

/**
 * What to do about a failed borrow: a timeout, an exhausted pool and unfit items pass (`Retry`), what cannot be created
 * needs another way (`Fallback`), a closed pool is final (`Fail`).
 */
export const recoveryStrategy = (error: PoolError<unknown>): RecoveryStrategy => strategies[error._tag]

const classes = [PoolTimeout, PoolExhausted, PoolClosed, PoolCreationFailed, PoolValidationFailed]

/** Whether a value is one of these errors. */
export const is = (value: unknown): value is PoolError<unknown> =>
  UserFunction.call(() => classes.some((error) => value instanceof error), () => false)

/** The error as an `Execution` around a `ResourceExhausted`: the message is kept, the error is its `cause`. */
export const toPatinoxError = (error: PoolError<unknown>): PatinoxError.Execution =>
  new PatinoxError.Execution({
    error: new PatinoxError.ResourceExhausted({ resource: error.pool, message: error.message, cause: error })
  })
