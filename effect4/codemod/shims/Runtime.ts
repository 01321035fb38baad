/** A runtime is a context of services. */
import { Cause, Context, Effect, type Exit, Fiber, type Scope } from "effect"

export type Runtime<R> = Context.Context<R>

export const defaultRuntime: Runtime<never> = Context.empty()

interface Options extends Effect.RunOptions {
  readonly scope?: Scope.Scope
}

export const runFork: {
  <R>(runtime: Runtime<R>): <A, E>(effect: Effect.Effect<A, E, R>, options?: Options) => Fiber.Fiber<A, E>
  <R, A, E>(runtime: Runtime<R>, effect: Effect.Effect<A, E, R>, options?: Options): Fiber.Fiber<A, E>
} = ((runtime: Runtime<any>, ...rest: ReadonlyArray<any>) => {
  if (rest.length === 0) return (effect: Effect.Effect<any>, options?: Options) => runFork(runtime, effect, options)
  const [effect, options] = rest
  const fiber = Effect.runForkWith(runtime)(effect, options)
  if (options?.scope !== undefined) Fiber.runIn(fiber, options.scope)
  return fiber
}) as any

export const runSync = <R>(runtime: Runtime<R>) => <A, E>(effect: Effect.Effect<A, E, R>): A =>
  Effect.runSyncWith(runtime)(effect)

export const runSyncExit = <R>(runtime: Runtime<R>) => <A, E>(effect: Effect.Effect<A, E, R>): Exit.Exit<A, E> =>
  Effect.runSyncExitWith(runtime)(effect)

export const runPromise = <R>(runtime: Runtime<R>) => Effect.runPromiseWith(runtime)

export const runPromiseExit = <R>(runtime: Runtime<R>) => Effect.runPromiseExitWith(runtime)

export const setFiberRef = <A>(ref: Context.Reference<A>, value: A) => <R>(runtime: Runtime<R>): Runtime<R> =>
  Context.add(runtime, ref, value)

export const provideService = <I, S>(key: Context.Key<I, S>, value: S) => <R>(runtime: Runtime<R>): Runtime<R | I> =>
  Context.add(runtime, key, value)

export const isAsyncFiberException = Cause.isAsyncFiberError
