/**
 * Everything this package takes from the insides of Effect 3: starting a fiber in the caller's turn, reading the
 * current fiber, timers, and taking a finalizer out of a scope. An edition for another major of Effect rewrites this
 * file and leaves the others as they are.
 */
import {
  Cause,
  Clock,
  Context,
  DefaultServices,
  Duration,
  Effect,
  Equal,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  HashSet,
  Layer,
  Option,
  Queue,
  Runtime,
  RuntimeFlags,
  type Schedule,
  ScheduleDecision,
  ScheduleIntervals,
  Scheduler,
  Scope,
  Supervisor,
  type Tracer
} from "effect"

export type CurrentFiber = Fiber.RuntimeFiber<any, any>

/** What a fiber is known by. */
export type Id = FiberId.Runtime

/** What a release needs of the fiber that acquired: its FiberRefs, which hold its context, log settings and tracer. */
export type Origin = FiberRefs.FiberRefs

export const withFiber: <A, E, R>(f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withFiberRuntime

/** As `withFiber`, in an uninterruptible region: a scope hands its closer's interruptibility on to its finalizers. */
export const uninterruptibly = <A, E, R>(
  f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiberRuntime((fiber, { runtimeFlags }) =>
    RuntimeFlags.interruptible(runtimeFlags) ? Effect.uninterruptible(withFiber(f)) : f(fiber)
  )

/**
 * The fiber's own record of its FiberRefs, shared and not copied: `getFiberRefs` would copy the whole map for each
 * resource to note the runtime flags, which a release never reads.
 */
export const originOf = (fiber: CurrentFiber): Origin =>
  (fiber as unknown as { readonly _fiberRefs?: FiberRefs.FiberRefs })._fiberRefs ?? fiber.getFiberRefs()

/**
 * What a fiber's record has become. The earlier one where both say the same, as each setting makes a record anew: then
 * many resources share one.
 */
export const laterOrigin = (before: Origin, after: Origin): Origin => {
  if (before === after) return before
  if (after.locals.size < before.locals.size) return after
  for (const [ref, stack] of after.locals) {
    if (FiberRefs.getOrDefault(before, ref) !== stack[0][1]) return after
  }
  return before
}

const contextOf = (origin: Origin): Context.Context<never> => FiberRefs.getOrDefault(origin, FiberRef.currentContext)

/** The services of the fiber, as its holder knows them to be there. */
export const service = <I, S>(fiber: CurrentFiber, tag: Context.Tag<I, S>): S =>
  Context.unsafeGet(fiber.currentContext as Context.Context<any>, tag)

/**
 * Does something at once if it still can be done, and hands its result to whatever comes next in the same step, with a
 * new budget of operations: nothing interrupts between the two, as an uninterruptible region would at its end.
 */
export const syncOrElse = <A, B, E, R>(
  isPossible: () => boolean,
  sync: () => A,
  otherwise: () => Effect.Effect<B, E, R>
): Effect.Effect<A | B, E, R> =>
  withFiber((fiber) =>
    Effect.catchAllCause(
      Effect.sync(() => {
        if (!isPossible()) throw new Error()
        ;(fiber as FiberInside).currentOpCount = 0
        return sync()
      }),
      otherwise
    )
  )

export const serviceOrUndefined = <I, S>(fiber: CurrentFiber, tag: Context.Tag<I, S>): S | undefined =>
  fiber.currentContext.unsafeMap.get(tag.key)

/** Fibers that run one cleanup after the other, some of which put other FiberRefs into their place. */
const cleaning = new WeakMap<CurrentFiber, { readonly run: unknown }>()

/** What `cleanupOf` finds in a fiber from now on. */
export const runsCleanupOf = (fiber: CurrentFiber, source: { readonly run: unknown }): void => {
  cleaning.set(fiber, source)
}

/** The cleanup that a fiber runs inside of, inherited by the fibers that it forks. */
const currentCleanup: FiberRef.FiberRef<unknown> = FiberRef.unsafeMake<unknown>(undefined)

export const cleanupOf = (fiber: CurrentFiber): unknown => cleaning.get(fiber)?.run ?? fiber.getFiberRef(currentCleanup)

const uninterruptibleFlags = RuntimeFlags.disable(Runtime.defaultRuntimeFlags, RuntimeFlags.Interruption)

/** Nested cleanups run on one JavaScript stack up to this depth, and from there on in a turn of their own. */
const maxDepth = 32
let depth = 0

export interface ForkOptions {
  /** Whose id the fiber has: what remembers its owner by that finds it there, as where there is only one fiber. */
  readonly id?: Id | undefined
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
  const flags = options?.interruptible === true ? Runtime.defaultRuntimeFlags : uninterruptibleFlags
  const id = options?.id ?? FiberId.unsafeMake()
  const { FiberRuntime, roots } = inside ??= readInside()
  const fiber = new FiberRuntime(id, forkRefs(origin, id, options?.cleanup), flags)
  const supervisor = fiber.currentSupervisor
  if (supervisor !== Supervisor.none) {
    supervisor.onStart(contextOf(origin), effect as Effect.Effect<A>, Option.none(), fiber)
    fiber.addObserver((exit) => supervisor.onEnd(exit, fiber))
  }
  depth++
  try {
    if (depth <= maxDepth) startIn(fiber, effect)
    else fiber.resume(effect)
    if (fiber.unsafePoll() === null) roots?.add(flags, fiber)
    return fiber as unknown as Fiber.RuntimeFiber<A>
  } finally {
    depth--
  }
}

/**
 * Effect's loop lets out what throws at being looked at, and leaves the fiber suspended for ever, with its caller's turn
 * cut short. It goes on instead, from where it stood, as if the effect had died of it.
 */
const startIn = (fiber: FiberInside, effect: Effect.Effect<any, any, any>): void => {
  try {
    fiber.start(effect)
  } catch (thrown) {
    fiber.resume(Effect.failCause(Cause.die(thrown)))
  }
}

type FiberInside = Fiber.RuntimeFiber<any, any> & {
  readonly currentSupervisor: Supervisor.Supervisor<any>
  currentOpCount: number
  readonly _children: Set<FiberInside> | null
  readonly _asyncBlockingOn?: FiberId.FiberId | null
  readonly setFiberRef: <A>(fiberRef: FiberRef.FiberRef<A>, value: A) => void
  readonly start: (effect: Effect.Effect<any, any, any>) => void
  readonly resume: (effect: Effect.Effect<any, any, any>) => void
}

/**
 * The class of fibers, and where Effect lists those without a parent. `Runtime.runFork` does the same as `forkNow`, but
 * copies the FiberRefs twice, compares each, and lists even a fiber that has ended by then: a tenth of a guard.
 */
interface Inside {
  readonly FiberRuntime: new(
    id: FiberId.Runtime,
    refs: FiberRefs.FiberRefs,
    flags: RuntimeFlags.RuntimeFlags
  ) => FiberInside
  readonly roots: { readonly add: (flags: RuntimeFlags.RuntimeFlags, fiber: FiberInside) => void } | undefined
}
let inside: Inside | undefined

const readInside = (): Inside =>
  Effect.runSync(Effect.daemonChildren(Effect.withFiberRuntime((fiber) => {
    refuse("Patinox", fiberMismatch(fiber))
    const values = [...fiber.getFiberRefs().locals.values()].map(([[, value]]) => (value as any)?.value)
    return Effect.succeed({
      FiberRuntime: fiber.constructor as Inside["FiberRuntime"],
      roots: values.find((scope) => scope?.roots instanceof Set)
    })
  })))

/** Throws where the fibers of this version of Effect are not as this file takes them to be; looks once. */
export const checkFibers = (): void => {
  inside ??= readInside()
}

/** What about a fiber, its FiberRefs and what can be done with it is not so, or `undefined` where all is. */
export const fiberMismatch = (fiber: any): string | undefined => {
  const missing = [
    "start",
    "resume",
    "setFiberRef",
    "getFiberRef",
    "addObserver",
    "unsafePoll",
    "unsafeInterruptAsFork"
  ]
    .find((name) => typeof fiber[name] !== "function")
  if (missing !== undefined) return `a fiber has no ${missing}`
  if (!(fiber.currentContext?.unsafeMap instanceof Map)) return "a context has no map of its services"
  const [ref, stack] = [...fiber.getFiberRefs().locals ?? []][0] ?? []
  if (ref === undefined || typeof ref.patch !== "function" || !("fork" in ref) || stack?.[0]?.length !== 2) {
    return "a FiberRef is not kept as a stack of values and forked by a patch"
  }
  const id = FiberId.unsafeMake()
  const started = new fiber.constructor(id, FiberRefs.empty(), Runtime.defaultRuntimeFlags)
  started.start(Effect.fiberId)
  return Equal.equals(started.unsafePoll()?.value, id) ? undefined : "a fiber that is started does not end at once"
}

interface ForkedRef {
  readonly fork: unknown
  readonly patch: (patch: unknown) => (value: unknown) => unknown
}

/** The FiberRefs of a new fiber: each as it says that it is to be forked. */
const forkRefs = (origin: Origin, id: FiberId.Runtime, cleanup: unknown): FiberRefs.FiberRefs => {
  const locals = new Map<FiberRef.FiberRef<any>, any>()
  for (const [ref, stack] of origin.locals) {
    const value = stack[0][1]
    const { fork, patch } = ref as unknown as ForkedRef
    const forked = patch(fork)(value)
    locals.set(ref, forked === value ? stack : [[id, forked]])
  }
  // Left out where there is none: `Effect.addFinalizer` would have to put every difference back.
  if (cleanup !== undefined) locals.set(currentCleanup, [[id, cleanup]])
  return FiberRefs.unsafeMake(locals)
}

/** The result of a fiber that has ended, else `undefined`. */
export const poll = <A>(fiber: Fiber.RuntimeFiber<A>): Exit.Exit<A> | undefined => fiber.unsafePoll() ?? undefined

export const observe = <A, E = never>(
  fiber: Fiber.RuntimeFiber<A, E>,
  onEnd: (exit: Exit.Exit<A, E>) => void
): void => fiber.addObserver(onEnd)

/** Sends the interruption and does not wait. */
export const interruptLater = (fiber: Fiber.RuntimeFiber<any, any>): void => fiber.unsafeInterruptAsFork(FiberId.none)

/** Runs `then` after every fiber that is ready now has had a turn. */
export const afterTurns = (origin: Origin, then: () => void): void => {
  forkNow(Effect.andThen(Effect.repeatN(Effect.yieldNow(), 4), Effect.sync(then)), origin)
}

// --- time -----------------------------------------------------------------------------------------------------------

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

export const clockOf = (fiber: CurrentFiber): Clock.Clock => Context.get(fiber.currentDefaultServices, Clock.Clock)

/** Beyond this no clock tells the time; so do infinite and missing readings, and one that throws. */
const maxReading = 8.64e15

const readingOf = (read: () => number): number | undefined => {
  try {
    const reading = read()
    return Math.abs(reading) <= maxReading ? reading : undefined
  } catch {
    return undefined
  }
}

/** The time of a clock that is not the machine's own, of which anything may come. */
interface Time {
  /** What is added to its readings, so that time never goes back. */
  offset: number
  now: number
  /** When that was, on the machine's own. */
  at: number
}

const times = /* @__PURE__ */ new WeakMap<Clock.Clock, Time>()

const millisOf = (clock: Clock.Clock): number | undefined =>
  readingOf(() => Number(clock.unsafeCurrentTimeNanos()) / 1e6)

/** Reads the clock; where it cannot be read, time goes on as that of the machine. */
const timeOf = (clock: Clock.Clock, atLeast = -Infinity): Time => {
  const at = performance.now()
  const reading = millisOf(clock)
  let time = times.get(clock)
  if (time === undefined) times.set(clock, time = { offset: 0, now: reading ?? at, at })
  const now = reading === undefined ? time.now + at - time.at : reading + time.offset
  const next = Math.max(time.now, now, atLeast)
  if (reading !== undefined) time.offset += next - now
  time.now = next
  time.at = at
  return time
}

/** Milliseconds that never go back and are always a number, whatever the clock says; for spans of time. */
export const monotonicMillis = (clock: Clock.Clock): number =>
  clock === liveClock ? performance.now() : timeOf(clock).now

/** Milliseconds since the epoch, always a number; for what people read. */
export const wallMillis = (clock: Clock.Clock): number => readingOf(() => clock.unsafeCurrentTimeMillis()) ?? Date.now()

/** Whether the clock can be read now; Effect itself reads it for the times of a span. */
const isReadable = (clock: Clock.Clock): boolean => clock === liveClock || millisOf(clock) !== undefined

export const maxTimerMillis = 2 ** 31 - 1

/**
 * Calls back once the time is up, and returns how to call that off. The live clock's own `sleep` is a `setTimeout`
 * behind a fiber, so there the fiber is left out (a tenth of the cost); any other clock is asked to sleep. One that
 * cannot be read or cannot sleep, or that comes back early (`isEarly`), is replaced by the machine's own, and what has
 * been waited for has passed.
 */
export const startTimer = (
  clock: Clock.Clock,
  origin: Origin,
  millis: number,
  onTime: () => void,
  isEarly = false
): () => void => {
  // A span beyond what a timer can hold comes back early, and whoever asked looks at the clock and asks again.
  const delay = Math.min(Math.max(0, Math.ceil(millis)), maxTimerMillis)
  const due = clock === liveClock ? 0 : monotonicMillis(clock) + delay
  const onMachine = (then: () => void): () => void => {
    const handle = setTimeout(then, delay)
    return () => clearTimeout(handle)
  }
  if (clock === liveClock) return onMachine(onTime)
  const passed = (): void => {
    timeOf(clock, due)
    onTime()
  }
  if (isEarly || !isReadable(clock)) return onMachine(passed)
  let instead: (() => void) | undefined
  let isOff = false
  let hasWaited = delay === 0
  const wait = () => instead = onMachine(passed)
  const unlessOff = (then: () => void) => () => Effect.sync(() => isOff || then())
  const fiber = forkNow(
    Effect.matchCauseEffect(Effect.suspend(() => clock.sleep(Duration.millis(delay))), {
      onFailure: unlessOff(wait),
      onSuccess: unlessOff(() => !hasWaited ? wait() : isReadable(clock) ? onTime() : passed())
    }),
    origin,
    { interruptible: true }
  )
  hasWaited = true
  return () => {
    isOff = true
    instead?.()
    interruptLater(fiber)
  }
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
  const { state } = scope as unknown as Partial<ScopeState>
  return state?._tag === "Closed" ? state.exit : undefined
}

/** Puts a finalizer into an open scope under a key of the caller's, as `Effect.forkIn` does. */
export const putFinalizer = (scope: Scope.Scope, key: object, finalizer: Scope.Scope.Finalizer): void => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag === "Open") state.finalizers.set(key, finalizer)
}

/** Takes a finalizer out again, so that an open scope keeps nothing of a resource that is gone. */
export const dropFinalizer = (scope: Scope.Scope, key: object): Scope.Scope.Finalizer | undefined => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag !== "Open") return undefined
  const finalizer = state.finalizers.get(key)
  state.finalizers.delete(key)
  return finalizer
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

/** Offers without a fiber. A full sliding queue refuses that way, and is offered to as an effect, which drops its oldest. */
export const offerSliding = <A>(queue: Queue.Queue<A>, value: A): void => {
  if (!queue.unsafeOffer(value)) Effect.runSyncExit(Queue.offer(queue, value))
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

export const newId = (): Id => FiberId.unsafeMake()

/** So that a difference to it is a small integer, which takes no memory of its own. */
const epoch = Date.now()

/** A fiber's id as two numbers, the other of which is `fiberNumber`. */
export const sinceOf = (id: Id): number => id.startTimeMillis - epoch

export const idOf = (number: number, since: number): Id => FiberId.runtime(number, since + epoch) as Id

/** Whether a fiber has interrupted another and is suspended until its end. */
export const isEnding = (fiber: CurrentFiber, other: CurrentFiber): boolean => {
  const { _asyncBlockingOn: on } = fiber as FiberInside
  // That alone is not enough: who awaits a Deferred is suspended until the end of the fiber which has made it.
  return on !== null && on !== undefined && HashSet.has(FiberId.ids(on), fiberNumber(other)) &&
    isInterruptedBy(other, fiber.id())
}

/** Whether a fiber was interrupted by one of that id, which then waits for its end. */
export const isInterruptedBy = (fiber: CurrentFiber, id: Id): boolean => {
  for (const by of Cause.interruptors(fiber.getFiberRef(FiberRef.interruptedCause))) {
    if (HashSet.has(FiberId.ids(by), id.id)) return true
  }
  return false
}

// --- scopes of our own ----------------------------------------------------------------------------------------------

/** A scope's state in Effect's own shape, as `Effect.forkIn` writes straight into it. */
export type OwnScopeState = ScopeState["state"]

export const openState = (): OwnScopeState => ({ _tag: "Open", finalizers: new Map() })

const refuse = (what: string, mismatch: string | undefined): void => {
  if (mismatch === undefined) return
  throw new Error(`${what} does not fit effect ${effectVersion()}: ${mismatch}. It is made for effect 3.22.`)
}

const effectVersion = (): string => (Effect.void as any)[Effect.EffectTypeId]?._V ?? "(unknown)"

/** What about Effect's scopes is not as this file takes it to be, or `undefined` where all is. */
const scopeMismatch = (sample: Scope.CloseableScope): string | undefined => {
  const finalizers = (): unknown => (sample as any).state?.finalizers
  if ((sample as any).state?._tag !== "Open" || !(finalizers() instanceof Map)) {
    return "an open scope has no finalizers map"
  }
  const map = finalizers() as FinalizerMap
  Effect.runSync(Scope.addFinalizer(sample, Effect.void))
  if (map.size !== 1) return "a finalizer is not put into that map"
  const fiber = Effect.runSync(Effect.forkIn(Effect.async(() => {}), sample)) as CurrentFiber
  const [, forked] = [...map.values()]
  const isIn = forked !== undefined && endsFiber(forked, fiber)
  interruptLater(fiber)
  if (!isIn) return "Effect.forkIn does not put a finalizer into that map"
  Effect.runFork(Scope.close(sample, Exit.void))
  return closedExit(sample) === undefined ? "a closed scope does not keep its exit" : undefined
}

/** The layers of which a `ScopeMemoMap` knows what they are made of. */
interface LayerSamples {
  readonly scoped: unknown
  readonly effect: unknown
  readonly fresh: unknown
}

const layerSamples = (): LayerSamples => {
  const effect = Layer.effectContext(Effect.succeed(Context.empty()))
  return { scoped: Layer.scopedContext(Effect.succeed(Context.empty())), effect, fresh: Layer.fresh(effect) }
}

/** The same of layers: a name that is not known would make one wait for itself. */
const layerMismatch = ({ effect, fresh, scoped }: LayerSamples): string | undefined => {
  const [whole, parts, again] = [effect, scoped, fresh].map((it) => partsOf(it as Layer.Layer<any>))
  return whole!._op_layer !== "FromEffect" || !Effect.isEffect(whole!.effect) ||
      parts!._op_layer !== "Scoped" || !Effect.isEffect(parts!.effect) ||
      again!._op_layer !== "Fresh" || again!.layer !== effect
    ? "a layer does not say what it is made of"
    : undefined
}

let scopesFit = false

/** Throws where the scopes or layers of this version of Effect are made in another way than ours; looks once. */
export const checkScopes = (sample?: Scope.CloseableScope, layers?: LayerSamples): void => {
  if (scopesFit && sample === undefined) return
  checkFibers()
  refuse(
    "ResourceScope",
    scopeMismatch(sample ?? Effect.runSync(Scope.make())) ?? layerMismatch(layers ?? layerSamples())
  )
  scopesFit = true
}

/**
 * Whether a finalizer that `Effect.forkIn` put into a scope is the one that ends `fiber`: its first step asks who runs it
 * and does nothing in that fiber, as it would wait for itself.
 */
export const endsFiber = (finalizer: Scope.Scope.Finalizer, fiber: CurrentFiber): boolean => {
  const step = finalizer(Exit.void) as unknown as {
    readonly _op?: string
    readonly effect_instruction_i0?: (fiber: CurrentFiber) => unknown
  }
  return step._op === "WithRuntime" && step.effect_instruction_i0?.(fiber) === Effect.void
}

/** What finalizers have set in the fiber that they ran in, and would have set in the one that closes the scope. */
export type Changes = Map<FiberRef.FiberRef<any>, unknown>

/** These are a fiber's own affair. */
const ownRefs = /* @__PURE__ */ new Set<FiberRef.FiberRef<any>>([
  currentCleanup,
  FiberRef.currentContext,
  FiberRef.currentRuntimeFlags,
  FiberRef.interruptedCause
])

/** What has been set between two readings of one fiber, beside what was known; `undefined` where nothing was. */
export const changesOf = (before: Origin, after: Origin, known: Changes | undefined): Changes | undefined => {
  let changes: Changes | undefined
  for (const [ref, stack] of after.locals) {
    if (before.locals.get(ref) === stack || ownRefs.has(ref)) continue
    const value = stack[0][1]
    if (!Equal.equals(FiberRefs.getOrDefault(before, ref), value)) (changes ??= new Map(known)).set(ref, value)
  }
  return changes
}

export const withChanges = (origin: Origin, by: CurrentFiber, changes: Changes): Origin =>
  [...changes].reduce(
    (refs, [fiberRef, value]) => FiberRefs.updateAs(refs, { fiberId: by.id() as FiberId.Single, fiberRef, value }),
    origin
  )

export const applyChanges = (changes: Changes): Effect.Effect<void> =>
  Effect.forEach(changes, ([ref, value]) => FiberRef.set(ref, value), { discard: true })

const soon: (then: () => void) => void = (globalThis as any).setImmediate ?? ((then) => setTimeout(then, 0))

/** Lets timers, input and output have a turn, beside other fibers; not while all has to happen in one call. */
const nextTurn: Effect.Effect<void> = /* @__PURE__ */ withFiber((fiber) =>
  fiber.currentScheduler instanceof Scheduler.SyncScheduler && !fiber.currentScheduler.deferred
    ? Effect.yieldNow()
    : Effect.async<void>((resume) => soon(() => resume(Effect.void)))
)

/** How much is done before others have a turn: by time, as some of it takes longer, but always some. */
export class Turn {
  private began = 0
  private done = 0

  isOver(): boolean {
    if (++this.done <= 4) return false
    const now = performance.now()
    if (this.began === 0) this.began = now
    return now - this.began > 4
  }

  /** Others have their turn, and then it begins anew. */
  get next(): Effect.Effect<void> {
    return Effect.andThen(
      nextTurn,
      Effect.sync(() => {
        this.began = this.done = 0
      })
    )
  }
}

/** Does something for each, and then the rest: in this turn as far as it goes, and on in others. */
export const inTurns = <A>(
  origin: Origin,
  items: Iterable<A>,
  each: (item: A) => void,
  rest: () => void = () => {}
): void => {
  const iterator = items[Symbol.iterator]()
  const turn = new Turn()
  const go = (): void => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      each(next.value)
      if (turn.isOver()) {
        forkNow(Effect.andThen(turn.next, Effect.sync(go)), origin)
        return
      }
    }
    rest()
  }
  go()
}

// --- layers ---------------------------------------------------------------------------------------------------------

/** What a layer is made of, as far as it matters to who memoises it. */
export interface LayerParts {
  readonly _op_layer: string
  readonly effect: Effect.Effect<Context.Context<any>, any, any>
  readonly layer: Layer.Layer<any, any, any>
}

export const partsOf = (layer: Layer.Layer<any, any, any>): LayerParts => layer as unknown as LayerParts

export const keysOf = (context: Context.Context<any>): ReadonlyArray<string> => [...context.unsafeMap.keys()]

// --- runtimes -------------------------------------------------------------------------------------------------------

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

/** A runtime of nothing. */
export const emptyRuntime = (): Runtime.Runtime<never> => Runtime.defaultRuntime

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

/** The fiber in whose turn this is called, if it is one's. */
export const fiberAtWork = (): CurrentFiber | undefined => Option.getOrUndefined(Fiber.getCurrentFiber())

/** The number of the fiber that a runtime has started, in all that it forks and they fork; it is not to be kept by them. */
const currentRun = /* @__PURE__ */ FiberRef.unsafeMake<number | undefined>(undefined, { join: (own) => own })

/** To be called in the fiber itself. */
export const beginsRun = (fiber: CurrentFiber): void =>
  (fiber as FiberInside).setFiberRef(currentRun, fiberNumber(fiber))

export const runOf = (fiber: CurrentFiber): number | undefined => fiber.getFiberRef(currentRun)

/** Whether a fiber is `ancestor`, or its child over any number of steps, who ends before it does. */
export const isWithin = (fiber: CurrentFiber, ancestor: CurrentFiber): boolean => {
  const stack = [ancestor as FiberInside]
  for (;;) {
    const next = stack.pop()
    if (next === undefined || next === fiber) return next !== undefined
    stack.push(...next._children ?? [])
  }
}
