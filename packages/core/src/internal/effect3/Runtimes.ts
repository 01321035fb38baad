/** Runtimes, fibers that are started in one and belong to no parent, and which run of one a fiber belongs to. */
import { Context, Effect, type Exit, FiberId, FiberRef, FiberRefs, Runtime, Scheduler, Scope, Tracer } from "effect"
import { type CurrentFiber, type FiberInside, fiberNumber } from "./Fibers.js"
import { type Origin } from "./Refs.js"

export type AppRuntime<R> = Runtime.Runtime<R>

export type RunForkOptions = Runtime.RunForkOptions

export type RunCallbackOptions<A, E> = Runtime.RunCallbackOptions<A, E>

export type Cancel<A, E> = Runtime.Cancel<A, E>

/** The ways to run an effect in a runtime. */
export const run = /* @__PURE__ */ (() => ({
  callback: Runtime.runCallback,
  fork: Runtime.runFork,
  promise: Runtime.runPromise,
  promiseExit: Runtime.runPromiseExit,
  sync: Runtime.runSync,
  syncExit: Runtime.runSyncExit
}))()

/** A `ManagedRuntime`, or whatever else runs effects as that does. */
export interface Runner {
  readonly runPromiseExit: <A, E>(
    effect: Effect.Effect<A, E, never>,
    options?: { readonly signal?: AbortSignal | undefined }
  ) => Promise<Exit.Exit<A, any>>
}

/** Runs an effect in a runtime of either kind; the signal interrupts it. */
export const runPromiseExit = <A, E>(
  runtime: AppRuntime<never> | Runner,
  effect: Effect.Effect<A, E>,
  signal: AbortSignal | undefined
): Promise<Exit.Exit<A, E>> => {
  const options = signal === undefined ? undefined : { signal }
  return "runPromiseExit" in runtime
    ? runtime.runPromiseExit(effect, options)
    : Runtime.runPromiseExit(runtime)(effect, options)
}

/** The context and FiberRefs of a fiber, for what runs on its behalf. */
export const runtimeOf = (fiber: CurrentFiber): AppRuntime<never> =>
  Runtime.make({
    context: fiber.currentContext,
    runtimeFlags: Runtime.defaultRuntime.runtimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })

/** A runtime of nothing. */
export const emptyRuntime = (): Runtime.Runtime<never> => Runtime.defaultRuntime

export const emptyOrigin = (): Origin => Runtime.defaultRuntime.fiberRefs

/** The services of a runtime, without what is set for those who run in it. */
export const servicesOf = <R>({ context }: AppRuntime<R>): Context.Context<R> => context

/** What a fiber of the runtime carries when it begins. */
export const originWithin = ({ fiberRefs }: AppRuntime<any>): Origin => fiberRefs

/** Makes a runtime of services, in this turn as far as they need not wait; to yield is not to wait. */
export const startRuntime = <R, E>(services: Effect.Effect<Context.Context<R>, E>): void => {
  const scheduler = new Scheduler.SyncScheduler()
  Runtime.runFork(Runtime.defaultRuntime)(
    Effect.flatMap(services, (context) =>
      Effect.map(Effect.provide(Effect.runtime<R>(), context), (runtime) =>
        // Not for those who run in it, but where a layer has set another.
        FiberRefs.getOrDefault(runtime.fiberRefs, FiberRef.currentScheduler) === scheduler
          ? Runtime.deleteFiberRef(runtime, FiberRef.currentScheduler)
          : runtime)),
    { scheduler }
  )
  scheduler.flush()
}

/** Of what the layers of a runtime have set, what decides about log lines; not their clock or scheduler. */
export const logSettingsOf = ({ fiberRefs }: Runtime.Runtime<never>): Origin => {
  const refs = [FiberRef.currentLoggers, FiberRef.currentMinimumLogLevel, FiberRef.currentLogAnnotations]
  return FiberRefs.unsafeMake(
    new Map(refs.flatMap((ref: FiberRef.FiberRef<any>) => {
      const stack = fiberRefs.locals.get(ref)
      return stack === undefined ? [] : [[ref, stack]]
    }))
  )
}

/** The number of the fiber that a runtime has started, in all that it forks and they fork; it is not to be kept by them. */
const currentRun = /* @__PURE__ */ FiberRef.unsafeMake<number | undefined>(undefined, { join: (own) => own })

/** To be called in the fiber itself. */
export const beginsRun = (fiber: CurrentFiber): void =>
  (fiber as FiberInside).setFiberRef(currentRun, fiberNumber(fiber))

export const runOf = (fiber: CurrentFiber): number | undefined => fiber.getFiberRef(currentRun)

/** Without the span around it, which is over long before what runs there is. */
export const withoutSpan = <R>(runtime: AppRuntime<R>): AppRuntime<R> =>
  Runtime.make({ ...runtime, context: Context.omit(Tracer.ParentSpan)(runtime.context) as Context.Context<R> })

/** With the scope in its FiberRefs, too, as `shareRefs` takes the context from there. */
export const withScope = <R>(runtime: AppRuntime<R>, scope: Scope.Scope): AppRuntime<R | Scope.Scope> => {
  const context = Context.add(runtime.context, Scope.Scope, scope)
  const value = context as Context.Context<never>
  const fiberRefs = FiberRefs.updateAs(runtime.fiberRefs, {
    fiberId: FiberId.none,
    fiberRef: FiberRef.currentContext,
    value
  })
  return Runtime.make({ ...runtime, context, fiberRefs })
}

/** Puts the runtime's context over the one at hand, whose scope stays, as does its span where the runtime has none. */
export const provideAround = <A, E>(
  effect: Effect.Effect<A, E, any>,
  { context }: AppRuntime<any>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.mapInputContext(
    effect,
    (own: Context.Context<Scope.Scope>) =>
      Context.add(Context.merge(own, context), Scope.Scope, Context.get(own, Scope.Scope))
  )

/** Starts an uninterruptible fiber that belongs to no parent, after what goes on now. */
export const forkLater = <R>(runtime: AppRuntime<R>, effect: Effect.Effect<unknown, never, R>): CurrentFiber =>
  Runtime.runFork(runtime, Effect.uninterruptible(Effect.andThen(Effect.yieldNow(), effect)))

/** As `forkLater`, with the FiberRefs and the span of another fiber. */
export const forkFor = <R>(
  origin: CurrentFiber,
  runtime: AppRuntime<R>,
  effect: Effect.Effect<unknown, never, R>
): CurrentFiber => {
  const span = origin.currentSpan
  const context = span === undefined
    ? runtime.context
    : Context.add(runtime.context, Tracer.ParentSpan, span) as Context.Context<R>
  return forkLater(Runtime.make({ ...runtime, context, fiberRefs: origin.getFiberRefs() }), effect)
}
