/** A validation that runs beside the borrowers, and the pending borrow that it runs for: each knows the other. */
import { type AppRuntime, type CurrentFiber, type Deadline } from "@patinox/core/kernel"
import type { Item } from "./Item.js"
import type { PoolWaiter } from "./state/PoolPorts.js"
import type { PoolState } from "./state/PoolState.js"

/** Its item serves the borrower that is first in line when it ends. */
export interface RunningCheck<A> {
  readonly item: Item<A>
  /** For whom it runs, as long as that borrower waits. */
  borrower: PendingBorrow<A> | undefined
  readonly startedAt: number
  readonly deadline: Deadline
  fiber: CurrentFiber | undefined
  isOverdue: boolean
  isOver: boolean
}

export interface PendingBorrow<A> extends PoolWaiter<Item<A>> {
  check: RunningCheck<A> | undefined
  /** Where a validation for it runs. */
  readonly runtime: AppRuntime<never>
}

export type ItemState<A> = PoolState<Item<A>, PendingBorrow<A>>
