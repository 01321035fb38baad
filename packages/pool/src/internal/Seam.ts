/** Everything this package takes from the insides of Effect 3. An edition for another major rewrites this file. */
import { type CurrentFiber } from "@patinox/core/kernel"
import {
  Context,
  Effect,
  type Exit,
  FiberId,
  FiberRef,
  type FiberRefs,
  type Random,
  Runtime,
  Scope,
  Tracer
} from "effect"

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

/** Whether a span of this fiber's would have a parent that somebody looks at. */
export const isTraced = (fiber: CurrentFiber): boolean =>
  fiber.currentSpan !== undefined && fiber.getFiberRef(FiberRef.currentTracerEnabled)

/** Where effects run that belong to nobody: a context and FiberRefs. */
export type PoolRuntime<R> = Runtime.Runtime<R>

/** The context and FiberRefs of a fiber, for what runs on its behalf. */
export const runtimeOf = (fiber: CurrentFiber): PoolRuntime<never> =>
  Runtime.make({
    context: fiber.currentContext,
    runtimeFlags: Runtime.defaultRuntime.runtimeFlags,
    fiberRefs: fiber.getFiberRefs()
  })

/** Without the span around it, which is over long before what runs there is. */
export const withoutSpan = <R>(runtime: PoolRuntime<R>): PoolRuntime<R> =>
  Runtime.make({ ...runtime, context: Context.omit(Tracer.ParentSpan)(runtime.context) as Context.Context<R> })

export const withScope = <R>(runtime: PoolRuntime<R>, scope: Scope.Scope): PoolRuntime<R | Scope.Scope> =>
  Runtime.make({ ...runtime, context: Context.add(runtime.context, Scope.Scope, scope) })

export type Refs = FiberRefs.FiberRefs

/** Puts FiberRefs that others have, too, into the place of a fiber's own, or gives its own to be shared. */
export const shareRefs = (fiber: CurrentFiber, refs: Refs | undefined): Refs => {
  if (refs === undefined) return fiber.getFiberRefs()
  ;(fiber as CurrentFiber & { readonly setFiberRefs: (refs: Refs) => void }).setFiberRefs(refs)
  return refs
}

/** Provides the runtime's context under what is there: the scope at hand stays. */
export const provideAround = <A, E>(
  effect: Effect.Effect<A, E, any>,
  { context }: Runtime.Runtime<any>
): Effect.Effect<A, E, Scope.Scope> =>
  Effect.mapInputContext(
    effect,
    (own: Context.Context<Scope.Scope>) =>
      Context.add(Context.merge(own, context), Scope.Scope, Context.get(own, Scope.Scope))
  )

/** Starts an uninterruptible fiber that belongs to nobody, after what goes on now. */
export const forkLater = <R>(runtime: PoolRuntime<R>, effect: Effect.Effect<unknown, never, R>): CurrentFiber =>
  Runtime.runFork(runtime, Effect.uninterruptible(Effect.andThen(Effect.yieldNow(), effect)))

/** A `ManagedRuntime`, or whatever else runs effects as that does. */
export interface Runner {
  readonly runPromiseExit: <A, E>(
    effect: Effect.Effect<A, E, never>,
    options?: { readonly signal?: AbortSignal | undefined }
  ) => Promise<Exit.Exit<A, any>>
}

export const runPromiseExit = <A, E>(
  runtime: PoolRuntime<never> | Runner,
  effect: Effect.Effect<A, E>,
  signal: AbortSignal | undefined
): Promise<Exit.Exit<A, E>> => {
  const options = signal === undefined ? undefined : { signal }
  return "runPromiseExit" in runtime
    ? runtime.runPromiseExit(effect, options)
    : Runtime.runPromiseExit(runtime)(effect, options)
}

interface AsyncPrimitive extends Effect.Effect<void> {
  effect_instruction_i0?: (resume: (effect: Effect.Effect<void>) => void) => void
  effect_instruction_i1?: FiberId.FiberId
}

const Primitive = (Effect.suspend(() => Effect.void) as object).constructor as new(op: "Async") => AsyncPrimitive

/**
 * `Effect.async` of something that needs no canceler, without what looks for one: a fifth of what waiting costs. An
 * Effect whose primitives are made otherwise gets the public function.
 */
export const suspendUntil: (register: (resume: (effect: Effect.Effect<void>) => void) => void) => Effect.Effect<void> =
  "effect_instruction_i0" in Effect.suspend(() => Effect.void)
    ? (register) => {
      const effect = new Primitive("Async")
      effect.effect_instruction_i0 = register
      effect.effect_instruction_i1 = FiberId.none
      return effect
    }
    : (register) => Effect.async((resume) => register(resume))

/** From 0 to 1, whatever the service does. */
export const nextRandom = (random: Random.Random): number => {
  const exit = Effect.runSyncExit(random.next)
  return exit._tag === "Success" && exit.value >= 0 && exit.value <= 1 ? exit.value : 0.5
}
