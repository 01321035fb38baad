/**
 * Everything this package takes from the insides of Effect 3 and from the clock of the process: fibers with the FiberRefs
 * of another, what a fiber is at, timers. An edition for another major of Effect rewrites this file and leaves the others.
 */
import {
  Effect,
  Exit,
  type Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  HashSet,
  Logger,
  Runtime,
  type Scope,
  type Tracer
} from "effect"
import type { FiberLine } from "./Wording.js"

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

/** Whether it ended in this turn, with success. */
export const runNow = (effect: Effect.Effect<unknown>, refs: Refs): boolean => {
  const exit = fork(effect, refs).unsafePoll()
  return exit !== null && Exit.isSuccess(exit)
}

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
