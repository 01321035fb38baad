/** Everything this package takes from the insides of Effect 3. An edition for another major rewrites this file. */
import { callback, type CurrentFiber, withFiber } from "@patinox/core/kernel"
import { Context, Effect, FiberId, FiberRef, FiberRefs, Option, Runtime, Scope, Tracer } from "effect"
import { ActiveWork, type WorkItem } from "./ActiveWork.js"

export {
  type CurrentFiber,
  fiberNumber,
  interruptLater,
  isInterruptible,
  makeDeferred,
  spanOf,
  updateNow,
  withFiber
} from "@patinox/core/kernel"

export const scopeOf = (fiber: CurrentFiber): Scope.Scope =>
  Context.unsafeGet(fiber.currentContext as Context.Context<Scope.Scope>, Scope.Scope)

export const scopeOrUndefined = (fiber: CurrentFiber): Scope.Scope | undefined =>
  fiber.currentContext.unsafeMap.get(Scope.Scope.key)

interface ScopeState {
  readonly _tag: "Open" | "Closed"
  readonly finalizers: Map<object, Scope.Scope.Finalizer>
}

let plainScope: unknown

/** Where an open scope of Effect's own keeps its finalizers, to add one without an effect; undefined for any other. */
export const finalizersOf = (scope: Scope.Scope): ScopeState["finalizers"] | undefined => {
  plainScope ??= Object.getPrototypeOf(Effect.runSync(Scope.make()))
  if (Object.getPrototypeOf(scope) !== plainScope) return undefined
  const { state } = scope as unknown as { readonly state?: ScopeState }
  return state?._tag === "Open" && state.finalizers instanceof Map ? state.finalizers : undefined
}

/** Where effects run that belong to nobody: a context and FiberRefs. */
export type CacheRuntime<R> = Runtime.Runtime<R>

/** Where lookups run that nobody asks for; the place of the call that makes the cache is not where they come from. */
export const runtimeOf = <R>(runtime: CacheRuntime<R>): CacheRuntime<R> =>
  Runtime.make({ ...runtime, context: Context.omit(Tracer.ParentSpan)(runtime.context) as Context.Context<R> })

export const withScope = <R>(runtime: CacheRuntime<R>, scope: Scope.Scope): CacheRuntime<R | Scope.Scope> =>
  withContext(runtime, Context.add(runtime.context, Scope.Scope, scope))

/** The context is in the FiberRefs, too: `setRefs` takes it from there. */
const withContext = <R>(runtime: CacheRuntime<any>, context: Context.Context<R>): CacheRuntime<R> =>
  Runtime.make({
    ...runtime,
    context,
    fiberRefs: FiberRefs.updateAs(runtime.fiberRefs, {
      fiberId: FiberId.none,
      fiberRef: FiberRef.currentContext,
      value: context
    })
  })

export type Refs = FiberRefs.FiberRefs

/** Puts FiberRefs that others have, too, into the place of a fiber's own. */
export const setRefs = (fiber: CurrentFiber, refs: Refs): void => {
  ;(fiber as CurrentFiber & { readonly setFiberRefs: (refs: Refs) => void }).setFiberRefs(refs)
}

/** Whether requests that the fiber makes now would wait for those of its neighbours in one `Effect.forEach`. */
export const isBatching = (fiber: CurrentFiber): boolean =>
  ((fiber as CurrentFiber & { readonly _steps?: ReadonlyArray<unknown> })._steps?.length ?? 0) > 0

/** Timers and I/O have their turn, which those who only yield to other fibers do not give them. */
export const afterTimers: Effect.Effect<void> = callback<void>((resume) => {
  const { setImmediate: immediately = (then: () => void) => setTimeout(then, 0) } = globalThis
  immediately(() => resume(Effect.void))
})

/** What a caller's fiber has that a lookup for it is to have, too: FiberRefs, with its span among them. */
export type CallerOrigin = CurrentFiber

/** What a fiber does for a cache, inherited by the fibers that it forks. */
const currentWork: FiberRef.FiberRef<ActiveWork | undefined> = FiberRef.unsafeMake<ActiveWork | undefined>(undefined)

export const workOf = (fiber: CurrentFiber): ActiveWork | undefined => fiber.getFiberRef(currentWork)

/** Whoever runs inside of the effect works on the item, until that has ended. */
export const workingOn = <A, E, R>(item: WorkItem, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  withFiber((fiber) => {
    const work = new ActiveWork(item, workOf(fiber))
    return Effect.ensuring(Effect.locally(effect, currentWork, work), Effect.sync(() => work.end()))
  })

/** Provides the runtime's context around what is there: the scope and the span at hand stay. */
export const provideAround = <A, E>(
  effect: Effect.Effect<A, E, any>,
  { context }: Runtime.Runtime<any>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.mapInputContext(effect, (own: Context.Context<Scope.Scope>) => {
    const merged = Context.add(Context.merge(own, context), Scope.Scope, Context.get(own, Scope.Scope))
    const span = Context.getOption(own as Context.Context<any>, Tracer.ParentSpan)
    return Option.isSome(span) ? Context.add(merged, Tracer.ParentSpan, span.value) : merged
  })

const start = <R>(runtime: CacheRuntime<R>, effect: Effect.Effect<unknown, never, R>): CurrentFiber =>
  Runtime.runFork(runtime, Effect.uninterruptible(Effect.andThen(Effect.yieldNow(), effect)))

/** Starts an uninterruptible fiber that belongs to nobody, after what goes on now. */
export const forkLater: <R>(runtime: CacheRuntime<R>, effect: Effect.Effect<unknown, never, R>) => CurrentFiber = start

/** As `forkLater`, with what the caller's fiber has. */
export const forkFor = <R>(
  origin: CallerOrigin,
  runtime: CacheRuntime<R>,
  effect: Effect.Effect<unknown, never, R>
): CurrentFiber => {
  const span = origin.currentSpan
  const context = span === undefined
    ? runtime.context
    : Context.add(runtime.context, Tracer.ParentSpan, span) as Context.Context<R>
  return start(Runtime.make({ ...runtime, context, fiberRefs: origin.getFiberRefs() }), effect)
}
