/** A pool for code that knows promises only: what an effect fails with, a promise is rejected with. */
import { type AppRuntime, type Runner, runPromiseExit } from "@patinox/core/kernel"
import { Cause, Effect, Exit, Scope } from "effect"
import type { PromiseBorrowOptions, PromisePool, ResourcePool } from "../ResourcePool.js"
import { LeaseHandle } from "./Lease.js"

interface Borrowed<A> {
  readonly lease: Pick<LeaseHandle<A>, "value" | "invalidate">
  readonly scope: Scope.CloseableScope
}

/** A lease that is taken from its holder, who may never return it, leaves nothing behind. */
const onTaken = <A>(lease: Borrowed<A>["lease"], then: () => void): void => {
  if (lease instanceof LeaseHandle) lease.onTaken = then
}

export const makePromisePool = <A, E>(
  pool: ResourcePool<A, E>,
  runtime: AppRuntime<never> | Runner
): PromisePool<A> => {
  // Two items may be equal: numbers, or one object that was lent twice. Objects are kept weakly.
  const objects = new WeakMap<object, Array<Borrowed<A>>>()
  const others = new Map<A, Array<Borrowed<A>>>()
  const placeOf = (item: A): Map<A, Array<Borrowed<A>>> =>
    Object(item) === item ? objects as unknown as Map<A, Array<Borrowed<A>>> : others

  /** One of those that the item was lent as, which it is no longer. */
  const forget = (item: A, borrowed = placeOf(item).get(item)?.at(-1)): Borrowed<A> | undefined => {
    const place = placeOf(item)
    const left = place.get(item)?.filter((other) => other !== borrowed) ?? []
    if (left.length === 0) place.delete(item)
    else place.set(item, left)
    return borrowed
  }

  const run = async <B, E2>(effect: Effect.Effect<B, E2>, signal?: AbortSignal): Promise<B> => {
    const exit = await runPromiseExit(runtime, effect, signal)
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
      const borrowed = forget(item)
      if (borrowed === undefined) {
        return Effect.die(new Error(`Pool ${pool.name} has not lent this item, or has it back`))
      }
      return Effect.andThen(isBad ? borrowed.lease.invalidate : Effect.void, Scope.close(borrowed.scope, Exit.void))
    })

  return {
    acquire: async (options) => {
      const borrowed = await borrow(options)
      const { value } = borrowed.lease
      const place = placeOf(value)
      place.set(value, [...place.get(value) ?? [], borrowed])
      if (place === others) onTaken(borrowed.lease, () => forget(value, borrowed))
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
    invalidate: (item) => run(pool.invalidate(item)),
    invalidateAll: () => run(pool.invalidateAll),
    drain: (options) => run(pool.drain(options))
  }
}
