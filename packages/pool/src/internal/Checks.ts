/**
 * The functions that check on an item while nobody holds it: each runs in its time limit, and what it fails with is told
 * and ends the item. Meanwhile the item counts as in use.
 */
import { Cause, Effect, Exit, Fiber } from "effect"
import { PoolOperationTimeout } from "../PoolError.js"
import { bounded } from "./Bounded.js"
import type { Item } from "./Item.js"
import type { Pool } from "./Pool.js"
import * as Seam from "./Seam.js"

export type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

export class Checks<A> {
  /** What they run on. */
  readonly running = new Set<Item<A>>()

  constructor(private readonly pool: Pool<A, any>) {}

  isStale(item: Item<A>, at: number): boolean {
    const { manager, options } = this.pool
    return manager.validate !== undefined && at - item.usedAt >= options.validateAfter
  }

  /**
   * Goes on as the item is found fit, or unfit for a cause; without a cause it is gone. One that is unfit is let go of, as
   * is one whose borrower is interrupted meanwhile, in the turn in which it goes on.
   */
  validate<B, E, R>(
    item: Item<A>,
    limit: number,
    restore: Restore,
    onFit: () => Effect.Effect<B, E, R>,
    onUnfit: (cause: Cause.Cause<unknown> | undefined) => Effect.Effect<B, E, R>
  ): Effect.Effect<B, E, R> {
    const { manager, state, timers } = this.pool
    const info = item.info(timers.now())
    const validating = restore(this.run("validate", item, limit, () => manager.validate!(item.value, info)))
    return Effect.flatMap(Effect.exit(validating), (exit) => {
      this.running.delete(item)
      if (Exit.isSuccess(exit) && exit.value === undefined && this.pool.isLendable(item)) return onFit()
      state.giveBack(item, timers.now(), "unfit")
      this.pool.counted()
      return Exit.isSuccess(exit) ? onUnfit(exit.value) : Effect.failCause(exit.cause)
    })
  }

  /** Makes a returned item fit for the next, and gives it back. */
  recycle(item: Item<A>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { manager, options, state, timers } = this.pool
    const info = item.info(timers.now())
    const recycling = this.run("recycle", item, options.recycleTimeout, () => manager.recycle!(item.value, exit, info))
    return Effect.map(
      // Out of reach of the borrower's interruption, which comes through to what can be interrupted in a fiber of its own.
      Effect.flatMap(Effect.forkDaemon(recycling), Fiber.join),
      (cause) => {
        this.running.delete(item)
        state.giveBack(item, timers.now(), cause === undefined ? undefined : "recycleFailed")
        this.pool.counted()
      }
    )
  }

  keepAlive(item: Item<A>): void {
    const { manager, options, runtime, state, timers } = this.pool
    const info = item.info(timers.now())
    Seam.forkLater(
      runtime,
      Effect.map(
        this.run("keepAlive", item, options.keepAliveTimeout, () => manager.keepAlive!(item.value, info)),
        (cause) => {
          this.running.delete(item)
          if (cause === undefined) state.keptAlive(item, timers.now())
          else state.giveBack(item, timers.now(), "keepAliveFailed")
          this.pool.counted()
        }
      )
    )
  }

  /** Gives what it failed with. A check that answers with false has failed. */
  private run(
    operation: "validate" | "recycle" | "keepAlive",
    item: Item<A>,
    limitMillis: number,
    make: () => Effect.Effect<unknown, unknown>
  ): Effect.Effect<Cause.Cause<unknown> | undefined> {
    const { options, teller } = this.pool
    this.running.add(item)
    const timedOut = () => new PoolOperationTimeout({ pool: options.name, operation, limitMillis })
    return Effect.map(bounded(make, limitMillis, timedOut), (exit) => {
      if (Exit.isSuccess(exit) && (exit.value !== false || operation === "recycle")) return undefined
      const cause = Exit.isSuccess(exit) ? Cause.fail(`${operation} answered with false`) : exit.cause
      teller.itemFailed(item, operation, cause)
      return cause
    })
  }
}
