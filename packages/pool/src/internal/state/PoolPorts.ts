/** The limits of a pool's decisions, the borrowers that they concern, and the host that carries them out. */
import type { CircuitLimits } from "./CircuitBreaker.js"
import type { Refusal, RemovalReason } from "./Vocabulary.js"
import type { Waiting } from "./WaitQueue.js"

export interface PoolWaiter<I> extends Waiting {
  /** An item is being validated for it. */
  hasCheck: boolean
  /** The item is in use by this waiter from now on. */
  serve(item: I, now: number): void
  /** It gets no item, though it has waited for one. */
  refuse(why: Exclude<Refusal, "exhausted">): void
}

export interface PoolPorts<I, W> {
  create(): void
  /** Whether the item has to be validated before it is lent. */
  isDoubtful(item: I, now: number): boolean
  /** Validates the item, for the first borrower in line that has no such check yet, if any. `checked` follows. */
  validate(item: I, waiter: W | undefined): void
  /** Ends a validation of a suspect that has been overdue for long, if there is one: `checked` follows. */
  cutOffCheck(): void
  destroy(item: I, reason: RemovalReason): void
  keepAlive(item: I): void
  /** Calls `grow` then; `Infinity`: not at all. */
  growAt(at: number): void
  /** Calls `maintain` then; `Infinity`: not at all. */
  maintainAt(at: number): void
  /** Counts have changed, and are right. Called once at the end of each change: for gauges, and for those that wait. */
  changed(): void
}

export interface PoolLimits extends CircuitLimits {
  readonly maxUses: number
  readonly idleTimeout: number
  /** Infinite where nothing keeps idle items alive. */
  readonly keepAliveInterval: number
  /** How many are created at once, those that take unusually long not counted. */
  readonly createConcurrency: number
  readonly maxWaiters: number
}
