/** A pool for code that knows promises only: what an effect fails with, a promise is rejected with. */
import { Cause, Effect, Exit, Scope } from "effect"
import type { PromisePool, ResourcePool } from "../ResourcePool.js"
import type { LeaseHandle } from "./Lease.js"
import * as Seam from "./Seam.js"

interface Borrowed<A> {
  readonly lease: Pick<LeaseHandle<A>, "invalidate">
  readonly scope: Scope.CloseableScope
}

export const makePromisePool = <A, E>(
  pool: ResourcePool<A, E>,
  runtime: Seam.PoolRuntime<never>
): PromisePool<A> => {
  const borrowed = new Map<A, Borrowed<A>>()

  const run = async <B, E2>(effect: Effect.Effect<B, E2>, signal?: AbortSignal): Promise<B> => {
    const exit = await Seam.runPromiseExit(runtime, effect, signal)
    if (Exit.isSuccess(exit)) return exit.value
    throw Cause.isInterruptedOnly(exit.cause) && signal?.aborted === true ? signal.reason : Cause.squash(exit.cause)
  }

  const acquire = Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(Scope.make(), (scope) =>
      Effect.onError(
        Effect.map(restore(Scope.extend(pool.lease(), scope)), (lease) => {
          borrowed.set(lease.value, { lease, scope })
          return lease.value
        }),
        (cause) => Scope.close(scope, Exit.failCause(cause))
      ))
  )

  const giveBack = (item: A, isBad: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      const held = borrowed.get(item)
      if (held === undefined) return Effect.die(new Error(`Pool ${pool.name} has not lent this item, or has it back`))
      borrowed.delete(item)
      return Effect.andThen(isBad ? held.lease.invalidate : Effect.void, Scope.close(held.scope, Exit.void))
    })

  return {
    acquire: (options) => run(acquire, options?.signal),
    release: (item) => run(giveBack(item, false)),
    destroy: (item) => run(giveBack(item, true)),
    use: (f, options) =>
      run(
        pool.use((item) => Effect.tryPromise({ try: async () => f(item), catch: (error) => error })),
        options?.signal
      ),
    drain: (options) => run(pool.drain(options))
  }
}
