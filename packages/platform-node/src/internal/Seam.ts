/**
 * Everything this package takes from the insides of Effect 3 and from the clock of the process: fibers with the FiberRefs
 * of another, what a fiber is at, timers. An edition for another major of Effect rewrites this file and leaves the others.
 */
import { UserFunction } from "@patinox/core/kernel"
import {
  Context,
  Effect,
  Exit,
  type Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  HashSet,
  Layer,
  Logger,
  Runtime,
  type Scope,
  SynchronizedRef,
  type Tracer
} from "effect"
import type { FiberLine } from "./Messages.js"

/** The log settings, context and whatever else a fiber hands on. */
export type Refs = FiberRefs.FiberRefs
export type AnyFiber = Fiber.RuntimeFiber<any, any>

/** Milliseconds that never jump and are the same in every thread. */
export const nowMillis = (): number => Number(process.hrtime.bigint()) / 1e6

export interface Timer {
  readonly clear: () => void
  /** Does not keep the process alive any longer. */
  readonly unref: () => void
}

export const maxTimerMillis = 2 ** 31 - 1

/** Of the process, whatever clock the application has. */
export const startTimer = (millis: number, onTime: () => void): Timer => {
  const handle = setTimeout(onTime, Math.min(Math.max(0, Math.ceil(millis)), maxTimerMillis))
  return { clear: () => clearTimeout(handle), unref: () => handle.unref() }
}

/** Keeps the process alive. */
export const startKeepAlive = (): Timer => {
  const handle = setInterval(() => {}, maxTimerMillis)
  return { clear: () => clearInterval(handle), unref: () => handle.unref() }
}

/** Those of a new process, with another logger; `pretty` as Effect's `runMain` has it. */
export const firstRefs = (pretty: boolean, logger?: Logger.Logger<unknown, void>): Refs => {
  const refs = Runtime.defaultRuntime.fiberRefs
  let loggers = FiberRefs.getOrDefault(refs, FiberRef.currentLoggers)
  if (pretty) loggers = HashSet.add(HashSet.remove(loggers, Logger.defaultLogger), Logger.prettyLoggerDefault)
  if (logger !== undefined) loggers = HashSet.add(loggers, logger)
  return FiberRefs.updateAs(refs, {
    fiberId: FiberId.runtime(-1, 0),
    fiberRef: FiberRef.currentLoggers,
    value: loggers
  })
}

export const refsOf = (fiber: AnyFiber): Refs => fiber.getFiberRefs()

export const withFiber = <A, E, R>(f: (fiber: AnyFiber) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber) => f(fiber))

/** Starts a fiber at once, with these FiberRefs. */
export const fork = <A, E>(effect: Effect.Effect<A, E>, refs: Refs): Fiber.RuntimeFiber<A, E> =>
  Runtime.runFork(
    Runtime.make({
      context: FiberRefs.getOrDefault(refs, FiberRef.currentContext),
      runtimeFlags: Runtime.defaultRuntimeFlags,
      fiberRefs: refs
    })
  )(effect)

/** Whether it ended in this turn, with success. A defect that throws on being looked at comes out of the fiber itself. */
export const runNow = (effect: Effect.Effect<unknown>, refs: Refs): boolean =>
  UserFunction.call(() => {
    const exit = fork(effect, refs).unsafePoll()
    return exit !== null && Exit.isSuccess(exit)
  }, () => false)

export const isRunning = (fiber: AnyFiber): boolean => fiber.unsafePoll() === null

export const onEnd = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, then: (exit: Exit.Exit<A, E>) => void): void =>
  fiber.addObserver(then)

/** Sends the interruption and does not wait. */
export const interruptLater = (fiber: AnyFiber): void => fiber.unsafeInterruptAsFork(fiber.id())

type Inside = AnyFiber & {
  readonly currentSpan: Tracer.AnySpan | undefined
  readonly getChildren: () => Iterable<Inside>
}

/** The fiber and those it has forked: not those that it waits for at its end, as it then disowns them. */
export const familyOf = (fiber: AnyFiber): ReadonlyArray<AnyFiber> =>
  isRunning(fiber) ? [fiber, ...[...(fiber as Inside).getChildren()].flatMap(familyOf)] : []

export const lineOf = (fiber: AnyFiber): FiberLine => {
  const { currentSpan } = fiber as Inside
  const { id, startTimeMillis } = fiber.id()
  return {
    id,
    span: currentSpan?._tag === "Span" ? currentSpan.name : undefined,
    ageMillis: Date.now() - startTimeMillis
  }
}

/** Whether closing a scope would do nothing. */
export const isEmpty = (scope: Scope.Scope): boolean => {
  const { state } = scope as unknown as { readonly state: { readonly finalizers?: ReadonlyMap<unknown, unknown> } }
  return (state.finalizers?.size ?? 0) === 0
}

export const spanNameOf = (fiber: AnyFiber): string | undefined => lineOf(fiber).span

// --- layers ---------------------------------------------------------------------------------------------------------

type AnyLayer = Layer.Layer<any, any, any>

interface LayerParts {
  readonly _op_layer?: string
  readonly layer?: AnyLayer
  readonly effect?: { readonly _op?: string; readonly effect_instruction_i1?: (value: unknown) => unknown }
}

/** What a memo map is called for. */
type Memoize = (layer: AnyLayer, scope: Scope.Scope) => Effect.Effect<Context.Context<any>, any, any>

/** Calls `begin` where a memo map begins to build a layer, and what that gives once the build has ended. */
export const watchBuilds = (
  memoMap: Layer.MemoMap,
  begin: (layer: AnyLayer, fiber: AnyFiber) => (isBuilt: boolean) => void
): Layer.MemoMap => {
  const map = memoMap as Layer.MemoMap & { getOrElseMemoize: Memoize }
  const build = map.getOrElseMemoize.bind(map)
  map.getOrElseMemoize = (layer, scope) =>
    withFiber((fiber) => {
      const end = begin(layer, fiber)
      return Effect.onExit(build(layer, scope), (exit) => Effect.sync(() => end(Exit.isSuccess(exit))))
    })
  return map
}

/** Whether a layer is none that is put together from others. */
export const isLeaf = (layer: AnyLayer): boolean => {
  const { _op_layer, layer: inner } = layer as unknown as LayerParts
  return _op_layer === "Fresh"
    ? inner !== undefined && isLeaf(inner)
    : _op_layer === "Scoped" || _op_layer === "FromEffect"
}

/** Throws wherever it is looked at: a function that uses it throws, a function that only hands it on does not. */
const probe = /* @__PURE__ */ (() =>
  new Proxy(() => {}, {
    apply: () => {
      throw new Error("a probe")
    },
    get: () => {
      throw new Error("a probe")
    }
  }))()

interface Step {
  readonly _op?: string
  readonly effect_instruction_i0?: unknown
}

/** The step of an effect after another one, if that is what it is. */
const lastStep = (effect: unknown): ((value: unknown) => unknown) | undefined => {
  const { _op, effect_instruction_i1 } = effect as NonNullable<LayerParts["effect"]>
  return _op === "OnSuccess" ? effect_instruction_i1 : undefined
}

/** The source of the one step of `Effect.map`, minified or not: no step that an application has written is tried. */
const mapStep = /* @__PURE__ */ String(
  /* @__PURE__ */ lastStep(/* @__PURE__ */ Effect.map(Effect.void, (value) => value))
)

/**
 * The keys of the services that a layer will give, where they can be known before it is built: `Layer.effect` and
 * `Layer.scoped` end with a step that puts the service under its Tag, and does nothing else.
 */
export const nameOf = (layer: AnyLayer): string | undefined => {
  const { _op_layer, effect, layer: inner } = layer as unknown as LayerParts
  if (_op_layer === "Fresh" && inner !== undefined) return nameOf(inner)
  const last = effect === undefined ? undefined : lastStep(effect)
  if (last === undefined || String(last) !== mapStep) return undefined
  try {
    const { _op, effect_instruction_i0: next } = last(probe) as Step
    const context = _op === "Sync" ? (next as () => unknown)() : next
    const keys = Context.isContext(context) ? [...context.unsafeMap.keys()] : []
    return keys.length === 0 ? undefined : keys.join(", ")
  } catch {
    return undefined
  }
}

/** Whether nothing has been built in a memo map of Effect's own. */
const isUnused = (memoMap: object): boolean => {
  try {
    const { ref } = memoMap as { readonly ref: SynchronizedRef.SynchronizedRef<ReadonlyMap<unknown, unknown>> }
    return Effect.runSync(SynchronizedRef.get(ref)).size === 0
  } catch {
    return false
  }
}

/**
 * From now on `make` gives the new memo maps in which Effect builds layers, as by `Layer.launch` and `Effect.provide`.
 * Effect offers no other way. Gives how to undo that, or `undefined` where this version of Effect makes its memo maps
 * in another way.
 */
export const replaceMemoMaps = (make: () => Layer.MemoMap): (() => void) | undefined => {
  const prototype = Object.getPrototypeOf(Effect.runSync(Layer.makeMemoMap)) as { getOrElseMemoize?: Memoize }
  const own = Object.hasOwn(prototype, "getOrElseMemoize") ? prototype.getOrElseMemoize : undefined
  if (typeof own !== "function") return undefined
  prototype.getOrElseMemoize = function(this: { getOrElseMemoize: Memoize }, layer, scope) {
    // Its own from now on, also when this is undone: what has been built in it is not built again.
    this.getOrElseMemoize = isUnused(this)
      ? (make() as unknown as { getOrElseMemoize: Memoize }).getOrElseMemoize
      : own.bind(this)
    return this.getOrElseMemoize(layer, scope)
  }
  return () => {
    prototype.getOrElseMemoize = own
  }
}
