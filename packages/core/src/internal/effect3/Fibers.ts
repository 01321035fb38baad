/** Fibers of Effect 3 from the inside: which one is at work, what it is known by, and how one is started in the caller's turn. */
import {
  Cause,
  type Context,
  DefaultServices,
  Deferred,
  Effect,
  Equal,
  Exit,
  Fiber,
  FiberId,
  FiberRef,
  FiberRefs,
  HashSet,
  Option,
  Runtime,
  RuntimeFlags,
  type Scope,
  Supervisor,
  type Tracer
} from "effect"
import { contextOf, currentBranch, currentCleanup, Midst, type Origin } from "./Refs.js"

export type CurrentFiber = Fiber.RuntimeFiber<any, any>

/** What a fiber is known by. */
export type Id = FiberId.Runtime

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
 * Suspends the fiber until `resume` is called; gives how to stop waiting. The one way to suspend, as majors differ in it:
 * here the fiber goes on in a later turn, in another major inside of the call.
 */
export const callback: <A = never, E = never, R = never>(
  register: (resume: (effect: Effect.Effect<A, E, R>) => void) => Effect.Effect<void, never, R> | void
) => Effect.Effect<A, E, R> = Effect.async

interface AsyncPrimitive extends Effect.Effect<void> {
  effect_instruction_i0?: (resume: (effect: Effect.Effect<void>) => void) => void
  effect_instruction_i1?: FiberId.FiberId
}

const Primitive = (Effect.suspend(() => Effect.void) as object).constructor as new(op: "Async") => AsyncPrimitive

/**
 * As `callback`, of what needs no canceler, without what looks for one: a fifth of what waiting costs. An Effect whose
 * primitives are made otherwise gets the public function.
 */
export const suspendUntil: (register: (resume: (effect: Effect.Effect<void>) => void) => void) => Effect.Effect<void> =
  "effect_instruction_i0" in Effect.suspend(() => Effect.void)
    ? (register) => {
      const effect = new Primitive("Async")
      effect.effect_instruction_i0 = register
      effect.effect_instruction_i1 = FiberId.none
      return effect
    }
    : (register) => callback((resume) => register(resume))

/** In a fiber of its own: where this one is interrupted, so is that, and is not waited for. */
export const disconnect = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> => Effect.disconnect(effect)

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

/** Fibers that run one cleanup after the other, some of which put other FiberRefs into their place. */
const cleaning = new WeakMap<CurrentFiber, { readonly run: unknown }>()

/** What `cleanupOf` finds in a fiber from now on. */
export const runsCleanupOf = (fiber: CurrentFiber, source: { readonly run: unknown }): void => {
  cleaning.set(fiber, source)
}

interface InTurn {
  readonly fiber: CurrentFiber | undefined
  readonly run: unknown
}

/** Those that began in this very turn. Most end in it, and a weak map of many that are gone costs the collector much. */
const inTurn: Array<InTurn> = []

/** As `runsCleanupOf`, while `start` starts the source's fiber. */
export const startCleaning = <A>(source: InTurn, start: () => A): A => {
  inTurn.push(source)
  try {
    return start()
  } finally {
    inTurn.pop()
  }
}

export const cleanupOf = (fiber: CurrentFiber): unknown => {
  for (let i = inTurn.length - 1; i >= 0; i--) if (inTurn[i]!.fiber === fiber) return inTurn[i]!.run
  return cleaning.get(fiber)?.run ?? fiber.getFiberRef(currentCleanup)
}

/** The fiber is inside of some work until that has ended. */
export const enter = (fiber: CurrentFiber, work: object): Midst => {
  let branch = fiber.getFiberRef(currentBranch)
  const owner = fiberNumber(fiber)
  if (branch?.owner !== owner) {
    branch = { owner, inside: branch?.inside }
    ;(fiber as FiberInside).setFiberRef(currentBranch, branch)
  }
  return branch.inside = new Midst(work, Midst.current(branch.inside))
}

/** Whether a fiber runs inside of some work, and so the work cannot end before what the fiber waits for. */
export const isInside = (fiber: CurrentFiber, work: object): boolean =>
  fiber.getFiberRef(currentBranch)?.inside?.includes(work) === true

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

export type FiberInside = Fiber.RuntimeFiber<any, any> & {
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
    return "a FiberRef is kept or forked in another way"
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

/** The FiberRefs of a new fiber: each value as its ref forks it. Those of the origin where no ref changes a value. */
const forkRefs = (origin: Origin, id: FiberId.Runtime, cleanup: unknown): FiberRefs.FiberRefs => {
  let locals: Map<FiberRef.FiberRef<any>, any> | undefined = undefined
  for (const [ref, stack] of origin.locals) {
    const value = stack[0][1]
    const { fork, patch } = ref as unknown as ForkedRef
    const forked = patch(fork)(value)
    if (forked !== value) (locals ??= new Map(origin.locals)).set(ref, [[id, forked]])
  }
  // Left out where there is none: `Effect.addFinalizer` would have to put every difference back.
  if (cleanup !== undefined) (locals ??= new Map(origin.locals)).set(currentCleanup, [[id, cleanup]])
  return locals === undefined ? origin : FiberRefs.unsafeMake(locals)
}

/** The result of a fiber that has ended, else `undefined`. */
export const poll = <A>(fiber: Fiber.RuntimeFiber<A>): Exit.Exit<A> | undefined => fiber.unsafePoll() ?? undefined

export const observe = <A, E = never>(
  fiber: Fiber.RuntimeFiber<A, E>,
  onEnd: (exit: Exit.Exit<A, E>) => void
): void => fiber.addObserver(onEnd)

/** Sends the interruption and does not wait. */
export const interruptLater = (fiber: Fiber.RuntimeFiber<any, any>): void => fiber.unsafeInterruptAsFork(FiberId.none)

/** Whether the fiber traces: inside a span, or with a tracer that exports (not Effect's own default). */
export const tracingOf = (fiber: CurrentFiber): boolean =>
  (fiber.currentSpan !== undefined || fiber.currentTracer !== nativeTracer) &&
  fiber.getFiberRef(FiberRef.currentTracerEnabled)

const nativeTracer: Tracer.Tracer | undefined = (DefaultServices.liveServices as Context.Context<any>).unsafeMap.get(
  "effect/Tracer"
)

export const noFiber: FiberId.FiberId = FiberId.none

export const spanOf = (fiber: CurrentFiber): Tracer.AnySpan | undefined => fiber.currentSpan

export const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ _tag: "SpanLink", span, attributes: {} })

export const fiberNumber = (fiber: CurrentFiber): number => fiber.id().id

export const newId = (): Id => FiberId.unsafeMake()

/** -1 where there is none. */
export const numberOf = (id: Id | undefined): number => id?.id ?? -1

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

/** Whether Effect starts the fibers of finalizers side by side within the close, one after the other, or turns later. */
export const startsForksAtOnce: boolean = false

export const refuse = (what: string, mismatch: string | undefined): void => {
  if (mismatch === undefined) return
  throw new Error(`${what} does not fit effect ${effectVersion()}: ${mismatch}. It is made for effect 3.22.`)
}

const effectVersion = (): string => (Effect.void as any)[Effect.EffectTypeId]?._V ?? "(unknown)"

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

/** The fiber in whose turn this is called, if it is one's. */
export const fiberAtWork = (): CurrentFiber | undefined => Option.getOrUndefined(Fiber.getCurrentFiber())

/** Whether a fiber is `ancestor`, or its child over any number of steps, who ends before it does. */
export const isWithin = (fiber: CurrentFiber, ancestor: CurrentFiber): boolean => {
  const stack = [ancestor as FiberInside]
  for (;;) {
    const next = stack.pop()
    if (next === undefined || next === fiber) return next !== undefined
    stack.push(...next._children ?? [])
  }
}

/** Whether an interruption that is sent now meets the fiber where it is, before it goes on. */
export const isInterruptible = (fiber: CurrentFiber): boolean =>
  RuntimeFlags.interruptible(
    (fiber as CurrentFiber & { readonly currentRuntimeFlags: RuntimeFlags.RuntimeFlags }).currentRuntimeFlags
  )

/** Belongs to no fiber. */
export const makeDeferred = <A>(): Deferred.Deferred<A> => Deferred.unsafeMake(FiberId.none)

/** Whether requests that the fiber makes now would wait for those of its neighbours in one `Effect.forEach`. */
export const isBatching = (fiber: CurrentFiber): boolean =>
  ((fiber as CurrentFiber & { readonly _steps?: ReadonlyArray<unknown> })._steps?.length ?? 0) > 0
