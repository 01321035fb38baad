/** A pool for code that knows promises only: what an effect fails with, a promise is rejected with. */
import { Cause, Effect, Exit, Scope } from "effect"
import type { PromiseBorrowOptions, PromisePool, ResourcePool } from "../ResourcePool.js"
import type { LeaseHandle } from "./Lease.js"
import * as Seam from "./Seam.js"

interface Borrowed<A> {
  readonly lease: Pick<LeaseHandle<A>, "value" | "invalidate">
  readonly scope: Scope.CloseableScope
}

export const makePromisePool = <A, E>(
  pool: ResourcePool<A, E>,
  runtime: Seam.PoolRuntime<never> | Seam.Runner
): PromisePool<A> => {
  // Two items may be equal: numbers, or one object that was lent twice.
  const lent = new Map<A, Array<Borrowed<A>>>()

  const run = async <B, E2>(effect: Effect.Effect<B, E2>, signal?: AbortSignal): Promise<B> => {
    const exit = await Seam.runPromiseExit(runtime, effect, signal)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.isInterruptedOnly(exit.cause) && signal?.aborted === true ? signal.reason : Cause.squash(exit.cause)
  }

  const borrow = async (options: PromiseBorrowOptions | undefined): Promise<Borrowed<A>> => {
    // A fiber that ends in its first turn does not look at the signal.
    options?.signal?.throwIfAborted()
    return run(
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Scope.make(), (scope) =>
          Effect.onError(
            Effect.map(restore(Scope.extend(pool.lease(options), scope)), (lease) => ({ lease, scope })),
            (cause) => Scope.close(scope, Exit.failCause(cause))
          ))
      ),
      options?.signal
    )
  }

  const giveBack = (item: A, isBad: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      const borrowed = lent.get(item)?.pop()
      if (borrowed === undefined) {
        return Effect.die(new Error(`Pool ${pool.name} has not lent this item, or has it back`))
      }
      if (lent.get(item)!.length === 0) lent.delete(item)
      return Effect.andThen(isBad ? borrowed.lease.invalidate : Effect.void, Scope.close(borrowed.scope, Exit.void))
    })

  return {
    acquire: async (options) => {
      const borrowed = await borrow(options)
      const { value } = borrowed.lease
      lent.set(value, [...lent.get(value) ?? [], borrowed])
      return value
    },
    release: (item) => run(giveBack(item, false)),
    destroy: (item) => run(giveBack(item, true)),
    use: async (f, options) => {
      const { lease, scope } = await borrow(options)
      let exit: Exit.Exit<unknown, unknown> = Exit.void
      try {
        return await f(lease.value)
      } catch (error) {
        exit = Exit.fail(error)
        throw error
      } finally {
        await run(Scope.close(scope, exit))
      }
    },
    drain: (options) => run(pool.drain(options))
  }
}
