/** What a pool decides within, who waits, and who does what it has decided. */
import type { CircuitLimits } from "./CircuitBreaker.js"
import type { RemovalReason } from "./PoolItem.js"
import type { Waiting } from "./WaitQueue.js"

export interface PoolWaiter<I> extends Waiting {
  /** An item is being validated for it. */
  hasCheck: boolean
  /** The item is in use by this waiter from now on. */
  serve(item: I, now: number): void
  /** There will be none: the pool closes, or nothing can be created. */
  refuse(why: "closed" | "creation"): void
}

export interface PoolPorts<I, W> {
  create(): void
  /** Whether the item has to be validated before it is lent. */
  isDoubtful(item: I, now: number): boolean
  /** Validates the item, on behalf of a borrower that waits, if any is without such a check. `checked` follows. */
  validate(item: I, waiter: W | undefined): void
  /** Ends a validation of a suspect that has been overdue for long, if there is one: `checked` follows. */
  cutOffCheck(): void
  destroy(item: I, reason: RemovalReason): void
  keepAlive(item: I): void
  /** `grow` is to be called then; `Infinity` where not. */
  growAt(at: number): void
  /** `maintain` is to be called then; `Infinity` where not. */
  maintainAt(at: number): void
  /** Something was counted down: whoever waits for an end looks again. */
  notifyWaiters(): void
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
