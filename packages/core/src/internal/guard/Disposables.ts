/**
 * JavaScript's own resources, those of `using` and `await using`: as guards, and guards as one of those, for code outside of
 * Effect. Not for what a Scope can close: there the Scope does.
 */
import { Cause, Effect, Exit, Fiber, type Scope } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type * as ResourceGuard from "../../ResourceGuard.js"
import type { ResourceRegistry } from "../../ResourceRegistry.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Runtimes from "../effect3/Runtimes.js"

/** The form of `fromDisposable`. */
export interface FromDisposable {
  <
    A extends Disposable | AsyncDisposable,
    EA,
    RA,
    RS = never,
    RF = never,
    D extends ResourceGuard.Dependencies = readonly []
  >(
    acquire: Effect.Effect<A, EA, RA>,
    options?: ResourceGuard.GuardOptions<NoInfer<A>, unknown, RS, RF, D>
  ): Effect.Effect<
    ResourceGuard.ResourceGuard<A, unknown>,
    EA | CleanupError.RegistryShuttingDown | ResourceGuard.DependencyError<D>,
    RA | RS | RF | Scope.Scope | ResourceRegistry
  >
}

const asIs = (error: unknown) => error

const isAsync = (resource: Disposable | AsyncDisposable): resource is AsyncDisposable =>
  typeof (resource as Partial<AsyncDisposable>)[Symbol.asyncDispose] === "function"

const disposeNow = (resource: Disposable | AsyncDisposable): unknown =>
  isAsync(resource) ? resource[Symbol.asyncDispose]() : resource[Symbol.dispose]()

/**
 * Does what the end of an `await using` block does, and fails with what that throws. Unlike there, a promise that
 * `Symbol.dispose` returns is waited for: its rejection would end the process.
 */
export const dispose = (resource: Disposable | AsyncDisposable): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    Effect.try({ try: () => disposeNow(resource), catch: asIs }),
    (result) =>
      // A primitive is no promise; an object is asked by `await`, as its `then` may throw.
      result === Object(result)
        ? Effect.asVoid(Effect.tryPromise({ try: async () => result, catch: asIs }))
        : Effect.void
  )

/** A guard as `await using` takes it. */
export interface DisposableGuard<out A> extends AsyncDisposable {
  /** What the guard holds now; throws `AlreadyCleanedUp` when it no longer holds a value. */
  readonly value: A
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * A guard for `await using`: at the end of the block it is cleaned up, under its own limits and policy, and the block
 * rejects with the `CleanupTimeout` or `CleanupFailed` of a cleanup that failed for good. A guard that has been cleaned
 * up or disarmed by then is left as it is. Until then the guard stays bound to its Scope: take a Scope that stays open
 * for longer than the block. No runtime is needed, as a release brings its own.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry, ResourceRuntime } from "@patinox/core"
 * import { Effect, Scope } from "effect"
 *
 * const runtime = ResourceRuntime.make(ResourceRegistry.layer)
 * const connect = ResourceGuard.make(Effect.succeed("connection"), () => Effect.fail("reset" as const))
 * try {
 *   const guard = await runtime.runPromise(Scope.extend(connect, runtime.scope))
 *   await using connection = ResourceGuard.toAsyncDisposable(guard)
 *   console.log(connection.value) // => connection
 * } catch (error) {
 *   console.log(String(error).includes("failed after 1 attempt: reset")) // => true
 * }
 * await runtime.dispose()
 * ```
 */
export const toAsyncDisposable = <A, E>(guard: ResourceGuard.ResourceGuard<A, E>): DisposableGuard<A> => {
  // Made inside of a cleanup, it does not wait for that one.
  const fiber = Fibers.fiberAtWork()
  const within = { cleanup: fiber && Fibers.cleanupOf(fiber) }
  const cleanup = Effect.exit(Effect.catchTag(guard.cleanup, "AlreadyCleanedUp", () => Effect.void))
  return {
    get value() {
      return settled(Effect.runSyncExit(guard.value))
    },
    [Symbol.asyncDispose]: async () =>
      settled(await Effect.runPromise(Fiber.join(Fibers.forkNow(cleanup, Runtimes.emptyOrigin(), within))))
  }
}

/** Throws the error itself, as who catches it is not in Effect. */
const settled = <A>(exit: Exit.Exit<A, unknown>): A => {
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return exit.value
}
