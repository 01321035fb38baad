/**
 * Everything this package takes from the insides of Effect 3: starting a fiber in the caller's turn, reading the
 * current fiber, timers, and taking a finalizer out of a scope. An edition for another major of Effect rewrites this
 * file and leaves the others as they are.
 */
import {
  Clock,
  Context,
  DefaultServices,
  Duration,
  Effect,
  type Exit,
  type Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  type Queue,
  Runtime,
  RuntimeFlags,
  type Schedule,
  ScheduleDecision,
  ScheduleIntervals,
  type Scope,
  type Tracer
} from "effect"

export type CurrentFiber = Fiber.RuntimeFiber<any, any>

/** What a release needs of the fiber that acquired: its FiberRefs, which hold its context, log settings and tracer. */
export type Origin = FiberRefs.FiberRefs

export const withFiber: <A, E, R>(f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withFiberRuntime

/**
 * The fiber's own record of its FiberRefs, shared and not copied: `getFiberRefs` would copy the whole map for each
 * resource to note the runtime flags, which a release never reads.
 */
export const originOf = (fiber: CurrentFiber): Origin =>
  (fiber as unknown as { readonly _fiberRefs?: FiberRefs.FiberRefs })._fiberRefs ?? fiber.getFiberRefs()

const contextOf = (origin: Origin): Context.Context<never> => FiberRefs.getOrDefault(origin, FiberRef.currentContext)

/** The services of the fiber, as its holder knows them to be there. */
export const service = <I, S>(fiber: CurrentFiber, tag: Context.Tag<I, S>): S =>
  Context.unsafeGet(fiber.currentContext as Context.Context<any>, tag)

export const serviceOrUndefined = <I, S>(fiber: CurrentFiber, tag: Context.Tag<I, S>): S | undefined =>
  fiber.currentContext.unsafeMap.get(tag.key)

/** The cleanup that a fiber runs inside of, inherited by the fibers that it forks. */
const currentCleanup: FiberRef.FiberRef<unknown> = FiberRef.unsafeMake<unknown>(undefined)

export const cleanupOf = (fiber: CurrentFiber): unknown => fiber.getFiberRef(currentCleanup)

const uninterruptibleFlags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.Interruption)

/** Nested cleanups run on one JavaScript stack up to this depth, and from there on in a turn of their own. */
const maxDepth = 32
let depth = 0

export interface ForkOptions {
  /** Readable inside, and in fibers forked there, by `cleanupOf`. */
  readonly cleanup?: unknown
  readonly interruptible?: boolean
}

/** Goes on with what follows the end of a nested fiber, one level deeper, as that may start the next. */
export const nested = <A>(next: (value: A) => void, value: A): void => {
  depth++
  try {
    next(value)
  } finally {
    depth--
  }
}

/** Starts a fiber at once, in the caller's turn, with the origin's FiberRefs and context. It belongs to no parent. */
export const forkNow = <A>(
  effect: Effect.Effect<A, never, any>,
  origin: Origin,
  options?: ForkOptions
): Fiber.RuntimeFiber<A> => {
  const runtime = Runtime.make({
    context: contextOf(origin),
    fiberRefs: origin,
    runtimeFlags: options?.interruptible === true ? Runtime.defaultRuntimeFlags : uninterruptibleFlags
  })
  const cleanup = options?.cleanup
  const runOptions: { immediate: boolean; updateRefs?: Runtime.RunForkOptions["updateRefs"] } = {
    immediate: depth < maxDepth
  }
  if (cleanup !== undefined) {
    runOptions.updateRefs = (refs, fiberId) =>
      FiberRefs.updateAs(refs, { fiberId, fiberRef: currentCleanup, value: cleanup })
  }
  depth++
  try {
    return Runtime.runFork(runtime, effect as Effect.Effect<A>, runOptions)
  } finally {
    depth--
  }
}

/** The result of a fiber that has ended, else `undefined`. */
export const poll = <A>(fiber: Fiber.RuntimeFiber<A>): Exit.Exit<A> | undefined => fiber.unsafePoll() ?? undefined

export const observe = <A>(fiber: Fiber.RuntimeFiber<A>, onEnd: (exit: Exit.Exit<A>) => void): void =>
  fiber.addObserver(onEnd)

/** Sends the interruption and does not wait. */
export const interruptLater = (fiber: Fiber.RuntimeFiber<any, any>): void => fiber.unsafeInterruptAsFork(FiberId.none)

/** Runs `then` after every fiber that is ready now has had a turn. */
export const afterTurns = (origin: Origin, then: () => void): void => {
  forkNow(Effect.andThen(Effect.repeatN(Effect.yieldNow(), 4), Effect.sync(then)), origin)
}

// --- time -----------------------------------------------------------------------------------------------------------

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

export const clockOf = (fiber: CurrentFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** Milliseconds that never jump; for spans of time. */
export const monotonicMillis = (clock: Clock.Clock): number =>
  clock === liveClock ? performance.now() : Number(clock.unsafeCurrentTimeNanos()) / 1e6

/** Milliseconds since the epoch; for what people read. */
export const wallMillis = (clock: Clock.Clock): number => clock.unsafeCurrentTimeMillis()

const maxTimerMillis = 2 ** 31 - 1

/**
 * Calls back once the time is up, and returns how to call that off. The live clock's own `sleep` is a `setTimeout`
 * behind a fiber, so there the fiber is left out (a tenth of the cost); any other clock is asked to sleep.
 */
export const startTimer = (clock: Clock.Clock, origin: Origin, millis: number, onTime: () => void): () => void => {
  // A span beyond what a timer can hold comes back early, and whoever asked looks at the clock and asks again.
  const delay = Math.min(Math.max(0, Math.ceil(millis)), maxTimerMillis)
  if (clock === liveClock) {
    const handle = setTimeout(onTime, delay)
    return () => clearTimeout(handle)
  }
  const fiber = forkNow(
    Effect.flatMap(clock.sleep(Duration.millis(delay)), () => Effect.sync(onTime)),
    origin,
    { interruptible: true }
  )
  return () => interruptLater(fiber)
}

// --- scopes ---------------------------------------------------------------------------------------------------------

type FinalizerMap = Map<object, Scope.Scope.Finalizer>
interface ScopeState {
  readonly state: { readonly _tag: "Open"; readonly finalizers: FinalizerMap } | {
    readonly _tag: "Closed"
    readonly exit: Exit.Exit<unknown, unknown>
  }
}

/** The exit that a scope was closed with, or `undefined` while it is open. */
export const closedExit = (scope: Scope.Scope): Exit.Exit<unknown, unknown> | undefined => {
  const state = (scope as unknown as ScopeState).state
  return state._tag === "Closed" ? state.exit : undefined
}

/** Puts a finalizer into an open scope under a key of the caller's, as `Effect.forkIn` does. */
export const putFinalizer = (scope: Scope.Scope, key: object, finalizer: Scope.Scope.Finalizer): void => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag === "Open") state.finalizers.set(key, finalizer)
}

/** Takes a finalizer out again, so that an open scope keeps nothing of a resource that is gone. */
export const dropFinalizer = (scope: Scope.Scope, key: object): void => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag === "Open") state.finalizers.delete(key)
}

// --- schedules ------------------------------------------------------------------------------------------------------

export interface Step {
  readonly state: unknown
  /** How long to pause, or `undefined` when the schedule is done. */
  readonly delay: number | undefined
}

export const initialStep = (schedule: Schedule.Schedule<any, any, any>): unknown => schedule.initial

/** One step of a schedule without its pause, so that a pause which would pass a limit is never begun. */
export const stepSchedule = <In, R>(
  schedule: Schedule.Schedule<unknown, In, R>,
  now: number,
  input: In,
  state: unknown
): Effect.Effect<Step, never, R> =>
  Effect.map(
    Effect.suspend(() => schedule.step(now, input, state)),
    ([next, _out, decision]): Step => ({
      state: next,
      delay: ScheduleDecision.isDone(decision)
        ? undefined
        : Math.max(0, ScheduleIntervals.start(decision.intervals) - now)
    })
  )

// --- the rest -------------------------------------------------------------------------------------------------------

export const offerNow = <A>(queue: Queue.Enqueue<A>, value: A): void => {
  queue.unsafeOffer(value)
}

/** The tracer to use, where somebody traces: one that exports (not Effect's own default), or inside a span. */
export const tracingOf = (fiber: CurrentFiber): boolean =>
  (fiber.currentSpan !== undefined || fiber.currentTracer !== nativeTracer) &&
  fiber.getFiberRef(FiberRef.currentTracerEnabled)

const nativeTracer: Tracer.Tracer | undefined = (DefaultServices.liveServices as Context.Context<any>).unsafeMap.get(
  "effect/Tracer"
)

export const noFiber: FiberId.FiberId = FiberId.none

export const spanOf = (fiber: CurrentFiber): Tracer.AnySpan | undefined => fiber.currentSpan

export const fiberNumber = (fiber: CurrentFiber): number => fiber.id().id
