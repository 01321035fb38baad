/** A value in the cache, or on its way out: what decisions need of it, and what has to be released in the end. */
import type { Deadline } from "@patinox/core/Foundation"
import type { Exit } from "effect"
import type { PolicyEntry } from "../CachePolicy.js"
import type { EntryList } from "./EntryList.js"
import type { Held } from "./Held.js"

/** Why a value left the cache. */
export type RemovalReason = "evicted" | "expired" | "invalidated" | "replaced" | "shutdown" | "failed"

/**
 * `cached`: who asks gets it. `retired`: out of the cache, and somebody still uses it. `releasing`, then `gone`: nobody
 * can use it any more.
 */
export type SlotStatus = "cached" | "retired" | "releasing" | "gone"

export class Slot<K, A, E> implements PolicyEntry, Deadline {
  // What a hit reads stands side by side: in a large cache each line of memory counts.
  /** What there is to release; undefined for a failure, and in a plain cache. */
  held: Held<A> | undefined = undefined
  list: EntryList | undefined = undefined
  place = 0
  status: SlotStatus = "cached"
  /** How many use it. */
  users = 0
  /** Its removal listener is one of them. */
  isHeard = false
  /** Another value has its place already, and it takes none until it goes. */
  isExempt = false
  readonly weight: number
  // Integers until they are needed: V8 keeps any other number in an object of its own.
  /** When a caller has to look at its age at all. */
  lookAt = 0
  usedAt = 0
  /** What callers get. */
  readonly exit: Exit.Exit<A, E>
  readonly hash: number
  mark = 0
  isPinned = false
  /** How often in a row looking it up anew has failed. */
  failures = 0
  readonly key: K
  writtenAt: number
  /** When it is too old to be given away as fresh. */
  expiresAt: number
  index = -1
  at = 0
  readonly owner: SlotOwner<K, A, E>

  constructor(
    owner: SlotOwner<K, A, E>,
    key: K,
    exit: Exit.Exit<A, E>,
    hash: number,
    weight: number,
    writtenAt: number,
    expiresAt: number
  ) {
    this.weight = weight
    this.exit = exit
    this.hash = hash
    this.key = key
    this.writtenAt = writtenAt
    this.expiresAt = expiresAt
    this.owner = owner
  }

  get isFailure(): boolean {
    return this.exit._tag === "Failure"
  }

  onDue(): void {
    this.owner.due(this)
  }
}

export interface SlotOwner<K, A, E> {
  readonly due: (slot: Slot<K, A, E>) => void
}

/** Whether both are the same value: not one that is only equal, as primitives are. */
export const isSameObject = (one: Exit.Exit<unknown, unknown>, other: Exit.Exit<unknown, unknown>): boolean =>
  one._tag === "Success" && other._tag === "Success" && one.value === other.value &&
  (typeof one.value === "function" || (typeof one.value === "object" && one.value !== null))
