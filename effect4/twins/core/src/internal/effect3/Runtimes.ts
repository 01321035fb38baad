/** Runtimes, fibers that are started in one and belong to no parent, and which run of one a fiber belongs to. */
import {
  Clock,
  Console,
  Context,
  Effect,
  type Exit,
  Layer,
  Metric,
  Random,
  References,
  Scheduler,
  Scope,
  Tracer
} from "effect"
import { type CurrentFiber } from "./Fibers.js"
import { currentBranch, currentCleanup, inheritedKeys, type Origin } from "./Refs.js"

/** Where effects run: what a runtime of Effect 3 was, is a context here. */
export type AppRuntime<R> = Context.Context<R>

export type RunForkOptions = Effect.RunOptions

export type RunCallbackOptions<A, E> = Effect.RunOptions & { readonly onExit: (exit: Exit.Exit<A, E>) => void }

export type Cancel<A, E> = ReturnType<typeof Effect.runCallback<A, E>>

/** The ways to run an effect in a runtime. */
export const run = /* @__PURE__ */ (() => ({
  callback: Effect.runCallbackWith,
  fork: Effect.runForkWith,
  promise: Effect.runPromiseWith,
  promiseExit: Effect.runPromiseExitWith,
  sync: Effect.runSyncWith,
  syncExit: Effect.runSyncExitWith
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
    : Effect.runPromiseExitWith(runtime)(effect, options)
}

/** The context of a fiber, for what runs on its behalf. */
export const runtimeOf = (fiber: CurrentFiber): AppRuntime<never> => fiber.context

/** A runtime of nothing. */
export const emptyRuntime = (): AppRuntime<never> => Context.empty()

/** What a fiber has that nothing was given. */
export const emptyOrigin = (): Origin => Context.empty()

/** What is set for those who run somewhere: each has its own, whosever services it is given. */
const settings = (): ReadonlyArray<Context.Key<any, any>> => [
  currentBranch,
  currentCleanup,
  currentRun,
  ...inheritedKeys,
  Clock.Clock,
  Console.Console,
  Layer.CurrentMemoMap,
  Metric.CurrentMetricAttributes,
  Metric.MetricRegistry,
  Random.Random,
  References.CurrentLogAnnotations,
  References.CurrentLoggers,
  References.CurrentLogLevel,
  References.CurrentLogSpans,
  References.CurrentStackFrame,
  References.CurrentTraceLevel,
  References.DisablePropagation,
  References.LogToStderr,
  References.MaxOpsBeforeYield,
  References.MinimumLogLevel,
  References.MinimumTraceLevel,
  References.PreventSchedulerYield,
  References.Scheduler,
  References.Tracer,
  References.TracerEnabled,
  References.TracerSpanAnnotations,
  References.TracerSpanLinks,
  References.TracerTimingEnabled,
  References.UnhandledLogLevel
]

const services = /* @__PURE__ */ new WeakMap<AppRuntime<any>, Context.Context<any>>()

/** The services of a runtime, without what is set for those who run in it. */
export const servicesOf = <R>(runtime: AppRuntime<R>): Context.Context<R> => {
  let found = services.get(runtime)
  if (found === undefined) services.set(runtime, found = Context.omit(...settings())(runtime) as Context.Context<any>)
  return found as Context.Context<R>
}

/** Makes a runtime of services, in this turn as far as they need not wait; to yield is not to wait. */
export const startRuntime = <R, E>(services: Effect.Effect<Context.Context<R>, E>): void => {
  const scheduler = new OneCall()
  Effect.runFork(
    Effect.map(services, (context) =>
      // Not for those who run in it, but where a layer has set another.
      Context.getOrUndefined(context, Scheduler.Scheduler) === scheduler
        ? Context.omit(Scheduler.Scheduler)(context) as Context.Context<R>
        : context),
    { scheduler }
  )
  scheduler.flush()
}

/** Takes the turns of all its fibers within one call, and after that as any other. */
class OneCall implements Scheduler.Scheduler {
  executionMode: "sync" | "async" = "sync"
  private readonly later = new Scheduler.MixedScheduler()
  private readonly now = new Scheduler.MixedScheduler("sync").makeDispatcher()

  shouldYield(fiber: CurrentFiber): boolean {
    return this.later.shouldYield(fiber)
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    const later = this.later.makeDispatcher()
    return {
      scheduleTask: (task, priority) => (this.executionMode === "sync" ? this.now : later).scheduleTask(task, priority),
      flush: () => later.flush()
    }
  }

  flush(): void {
    this.now.flush()
    this.executionMode = "async"
  }
}

/** Of what the layers of a runtime have set, what decides about log lines; not their clock or scheduler. */
export const logSettingsOf = (runtime: AppRuntime<never>): Origin =>
  Context.pick(References.CurrentLoggers, References.MinimumLogLevel, References.CurrentLogAnnotations)(runtime)

/** The number of the fiber that a runtime has started, in all that it forks and they fork. */
const currentRun: Context.Reference<number | undefined> = /* @__PURE__ */ Context.Reference<number | undefined>(
  "@patinox/core/currentRun",
  { defaultValue: () => undefined }
)

/** To be called in the fiber itself. */
export const beginsRun = (fiber: CurrentFiber): void =>
  fiber.setContext(Context.add(fiber.context, currentRun, fiber.id))

export const runOf = (fiber: CurrentFiber): number | undefined => fiber.getRef(currentRun)

/** What a fiber of the runtime carries when it begins. */
export const originWithin = (runtime: AppRuntime<any>): Origin => runtime

/** Without the span around it, which is over long before what runs there is. */
export const withoutSpan = <R>(runtime: AppRuntime<R>): AppRuntime<R> =>
  Context.omit(Tracer.ParentSpan)(runtime) as Context.Context<any> as AppRuntime<R>

export const withScope = <R>(runtime: AppRuntime<R>, scope: Scope.Scope): AppRuntime<R | Scope.Scope> =>
  Context.add(runtime, Scope.Scope, scope)

const withSpan = <R>(context: Context.Context<R>, of: Context.Context<never>): Context.Context<R> => {
  const span = Context.getOrUndefined(of, Tracer.ParentSpan)
  return span === undefined ? context : Context.add(context, Tracer.ParentSpan, span) as Context.Context<R>
}

/** Puts the runtime's services over the context at hand, whose scope stays, as does its span where the runtime has none. */
export const provideAround = <A, E>(
  effect: Effect.Effect<A, E, any>,
  runtime: AppRuntime<any>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.updateContext(
    effect,
    (own: Context.Context<Scope.Scope>): Context.Context<any> =>
      Context.add(Context.merge(own, servicesOf(runtime)), Scope.Scope, Context.get(own, Scope.Scope))
  )

/** Starts an uninterruptible fiber that belongs to no parent, after what goes on now. */
export const forkLater = <R>(runtime: AppRuntime<R>, effect: Effect.Effect<unknown, never, R>): CurrentFiber =>
  Effect.runForkWith(runtime)(Effect.andThen(Effect.yieldNow, effect), { uninterruptible: true })

/** As `forkLater`, with what another fiber carries and its span; a fiber that has ended carries nothing. */
export const forkFor = <R>(
  origin: CurrentFiber,
  runtime: AppRuntime<R>,
  effect: Effect.Effect<unknown, never, R>
): CurrentFiber => {
  if (origin.pollUnsafe() !== undefined) return forkLater(runtime, effect)
  const { context } = origin
  const merged = Context.merge(Context.omit(Layer.CurrentMemoMap)(context), servicesOf(runtime))
  return forkLater(withSpan(merged as Context.Context<R>, context), effect)
}
