/** A value in the cache, or on its way out: what decisions need of it, and what has to be released in the end. */
import type { Deadline } from "@patinox/core/kernel"
import type { Exit } from "effect"
import type { PolicyEntry } from "../../CachePolicy.js"
import type { Lease } from "../Lease.js"
import type { EntryList } from "../policy/EntryList.js"
import type { Keyed } from "./KeyMap.js"
import type { EntryStatus } from "./Vocabulary.js"

/** What a value comes with, beside its key. */
export interface Terms {
  readonly weight: number
  readonly writtenAt: number
  readonly expiresAt: number
  /** After so long without a use it expires, in milliseconds. */
  readonly timeToIdle: number
}

const heardFlag = 1
const exemptFlag = 2
const pinnedFlag = 4
const untimedFlag = 8

export class CacheEntry<K, A, E> implements PolicyEntry, Deadline, Keyed<K> {
  // What a hit reads stands side by side: in a large cache each line of memory counts.
  /** What has to be released; undefined for a failure, and in a plain cache. */
  lease: Lease<A> | undefined = undefined
  list: EntryList | undefined = undefined
  place = 0
  status: EntryStatus = "cached"
  /** How many use it. */
  users = 0
  // Four answers in one number: each field costs every value eight bytes.
  private flags = 0
  readonly weight: number
  // Integers until they are needed: V8 keeps any other number in an object of its own.
  /** When a caller has to look at its age at all. */
  lookAt = 0
  usedAt = 0
  /** What callers get. */
  readonly exit: Exit.Exit<A, E>
  /** Of its key, as that was when it was asked for. */
  readonly hash: number
  mark = 0
  /** How many refreshes in a row have failed. */
  failures = 0
  readonly key: K
  writtenAt: number
  /** When it is too old to be given away as fresh. */
  expiresAt: number
  /** Undefined where it is infinite, as a number would take sixteen bytes more. */
  timeToIdle: number | undefined
  index = -1
  at = 0
  readonly owner: EntryOwner<K, A, E>

  constructor(owner: EntryOwner<K, A, E>, { hash, key }: Keyed<K>, exit: Exit.Exit<A, E>, terms: Terms) {
    this.weight = terms.weight
    this.exit = exit
    this.hash = hash
    this.key = key
    this.writtenAt = terms.writtenAt
    this.expiresAt = terms.expiresAt
    this.timeToIdle = terms.timeToIdle === Infinity ? undefined : terms.timeToIdle
    this.owner = owner
  }

  private mayHave(flag: number, isSo: boolean): void {
    this.flags = isSo ? this.flags | flag : this.flags & ~flag
  }

  /** Its removal listener is one of its users. */
  get isHeard(): boolean {
    return (this.flags & heardFlag) !== 0
  }

  set isHeard(isSo: boolean) {
    this.mayHave(heardFlag, isSo)
  }

  /** Another value has its place already, and it takes none until it goes. */
  get isExempt(): boolean {
    return (this.flags & exemptFlag) !== 0
  }

  set isExempt(isSo: boolean) {
    this.mayHave(exemptFlag, isSo)
  }

  /** It is out of the policy's hands while it is in use. */
  get isPinned(): boolean {
    return (this.flags & pinnedFlag) !== 0
  }

  set isPinned(isSo: boolean) {
    this.mayHave(pinnedFlag, isSo)
  }

  /** No timer knows when it is idle for too long, as it is in use: a timer is set after its last use. */
  get isUntimed(): boolean {
    return (this.flags & untimedFlag) !== 0
  }

  set isUntimed(isSo: boolean) {
    this.mayHave(untimedFlag, isSo)
  }

  get isFailure(): boolean {
    return this.exit._tag === "Failure"
  }

  onDue(): void {
    this.owner.due(this)
  }
}

export interface EntryOwner<K, A, E> {
  readonly due: (entry: CacheEntry<K, A, E>) => void
}

/** Whether a value can be distinguished from an equal one, as primitives cannot. */
export const isObject = (value: unknown): value is object =>
  typeof value === "function" || (typeof value === "object" && value !== null)

/** Whether both are the same value, and not only equal, as primitives are. */
export const isSameObject = (one: Exit.Exit<unknown, unknown>, other: Exit.Exit<unknown, unknown>): boolean =>
  one._tag === "Success" && other._tag === "Success" && one.value === other.value && isObject(one.value)
