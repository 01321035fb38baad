/**
 * What a pool reports as it happens, but for single borrows and returns, which its metrics count: plain records, told apart
 * by `_tag`, each with the pool's name and the time (`at`, in milliseconds since the epoch).
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import type { Cause } from "effect"
import type { ItemOperation, RemovalReason } from "./internal/state/Vocabulary.js"
import type { PoolTimeout } from "./PoolError.js"

interface Event<Tag extends string> {
  readonly _tag: Tag
  readonly at: number
  readonly pool: string
}

interface OfItem<Tag extends string> extends Event<Tag> {
  readonly id: ResourceId.ResourceId
}

/** About the holder of an item. */
interface OfHolder<Tag extends string> extends OfItem<Tag> {
  readonly heldMillis: number
  readonly fiberId: string
  readonly spanName?: string
  readonly stack?: string
}

export interface Created extends OfItem<"Created"> {
  readonly createMillis: number
}
export interface CreationFailed extends Event<"CreationFailed"> {
  readonly cause: Cause.Cause<unknown>
  /** In a row. */
  readonly failures: number
  /** Borrowers fail at once from now on, where no item is in use that they could wait for. */
  readonly isOpen: boolean
}
/** An item was created after `failures` failed attempts in a row: borrowers wait for items again. */
export interface CircuitClosed extends Event<"CircuitClosed"> {
  readonly failures: number
  readonly openMillis: number
}
/** An item is removed; its destruction follows. */
export interface Removed extends OfItem<"Removed"> {
  readonly reason: RemovalReason
  readonly ageMillis: number
  readonly uses: number
}
/** The destruction of an item has ended, with an error or without. */
export interface Destroyed extends OfItem<"Destroyed"> {
  readonly reason: RemovalReason
  readonly error?: CleanupError.CleanupError<unknown>
}
/** One of the pool's functions failed for an item, which is destroyed. */
export interface ItemFailed extends OfItem<"ItemFailed"> {
  readonly operation: ItemOperation
  readonly cause: Cause.Cause<unknown>
}
export interface SlowBorrow extends Event<"SlowBorrow"> {
  readonly waitedMillis: number
}
export interface TimedOut extends Event<"TimedOut"> {
  readonly error: PoolTimeout
}
export interface LeakSuspected extends OfHolder<"LeakSuspected"> {}
/** A suspected leak was none: the item has come back. */
export interface LeakResolved extends OfHolder<"LeakResolved"> {}
export interface LeaseExpired extends OfHolder<"LeaseExpired"> {
  readonly isReclaimed: boolean
}
export interface Resized extends Event<"Resized"> {
  readonly minSize: number
  readonly maxSize: number
}
export interface Suspended extends Event<"Suspended"> {}
export interface Resumed extends Event<"Resumed"> {}
export interface Draining extends Event<"Draining"> {}
export interface Closed extends Event<"Closed"> {}

export type PoolEvent =
  | Created
  | CreationFailed
  | CircuitClosed
  | Removed
  | Destroyed
  | ItemFailed
  | SlowBorrow
  | TimedOut
  | LeakSuspected
  | LeakResolved
  | LeaseExpired
  | Resized
  | Suspended
  | Resumed
  | Draining
  | Closed
