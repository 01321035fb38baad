/** Fibers of Effect 4 from the inside: which one is at work, what it is known by, and how one is started in the caller's turn. */
import { Cause, Context, Deferred, Effect, Exit, Fiber, type Scheduler, type Tracer, Version } from "effect"
import { type Branch, currentBranch, currentCleanup, Midst, type Origin } from "./Refs.js"
import type { Finalizer } from "./Scopes.js"

export type CurrentFiber = Fiber.Fiber<any, any>

/** What a fiber is known by. */
export type Id = number

export const withFiber: <A, E, R>(f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withFiber

/** As `withFiber`, in an uninterruptible region: a scope hands its closer's interruptibility on to its finalizers. */
export const uninterruptibly = <A, E, R>(
  f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => isInterruptible(fiber) ? Effect.uninterruptible(withFiber(f)) : f(fiber))

/**
 * Suspends the fiber until `resume` is called; gives how to stop waiting. The one way to suspend, as majors differ in it:
 * here the fiber goes on inside of the call, in another major in a later turn. So the end of many that wait for each other
 * would be one deep call: from some depth on, it goes on in a turn of its own.
 */
export const callback = <A = never, E = never, R = never>(
  register: (resume: (effect: Effect.Effect<A, E, R>) => void) => Effect.Effect<void, never, R> | void
): Effect.Effect<A, E, R> =>
  Effect.callback<A, E, R>((resume) => {
    const fiber = Fiber.getCurrent()!
    return register((effect) => {
      // Nobody goes on before those who were resumed earlier.
      if (depth < maxDepth && resuming === 0) return nested(resume, effect)
      resuming++
      fiber.currentDispatcher.scheduleTask(() => {
        resuming--
        resume(effect)
      }, 0)
    })
  })

/** How many will go on in a later turn. */
let resuming = 0

/** As `callback`, of what needs no canceler. */
export const suspendUntil: (register: (resume: (effect: Effect.Effect<void>) => void) => void) => Effect.Effect<void> =
  callback

/** In a fiber of its own: where this one is interrupted, so is that, and is not waited for. */
export const disconnect = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) =>
    callback<A, E>((resume) => {
      fiber.addObserver(resume)
      return Effect.sync(() => fiber.interruptUnsafe())
    }))

/**
 * Does something at once if it still can be done, and hands its result to whatever comes next in the same step, with a
 * new budget of operations: nothing interrupts between the two, as an uninterruptible region would at its end.
 */
export const syncOrElse = <A, B, E, R>(
  isPossible: () => boolean,
  sync: () => A,
  otherwise: () => Effect.Effect<B, E, R>
): Effect.Effect<A | B, E, R> =>
  Effect.withFiber((fiber): Effect.Effect<A | B, E, R> => {
    if (!isPossible()) return otherwise()
    const inside = fiber as FiberInside
    inside.currentOpCount = 0
    return inside.succeedWith(sync())
  })

/** Fibers that run one cleanup after the other, some of which put another context into their place. */
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
  return cleaning.get(fiber)?.run ?? fiber.getRef(currentCleanup)
}

const branchOf = (fiber: CurrentFiber): Branch | undefined => fiber.getRef(currentBranch)

/** A fiber of nothing, for the number that it has: all that come later have a higher one. */
const lastNumber = (): number => newId()

/** The fiber is inside of some work until that has ended. */
export const enter = (fiber: CurrentFiber, work: object): Midst => {
  let branch = branchOf(fiber)
  if (branch?.owner !== fiber.id) {
    branch = { owner: fiber.id, inside: branch?.inside?.forkedIn(fiber.id) }
    fiber.setContext(Context.add(fiber.context, currentBranch, branch))
  }
  return branch.inside = new Midst(work, Midst.current(branch.inside), lastNumber())
}

/** Whether a fiber runs inside of some work, and so the work cannot end before what the fiber waits for. */
export const isInside = (fiber: CurrentFiber, work: object): boolean => {
  const branch = branchOf(fiber)
  return branch?.inside?.includes(work, branch.owner === fiber.id ? Infinity : fiber.id) === true
}

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

/** Starts a fiber at once, in the caller's turn, with the origin's context. It belongs to no parent. */
export const forkNow = <A>(
  effect: Effect.Effect<A, never, any>,
  origin: Origin,
  options?: ForkOptions
): Fiber.Fiber<A> => {
  const current = Fiber.getCurrent() as FiberInside | undefined
  const { FiberClass } = inside ??= readInside()
  const fiber = new FiberClass(forkContext(origin, options?.cleanup), options?.interruptible === true)
  if (options?.id !== undefined) fiber.id = options.id
  // As a child has its parent's turns: where all has to happen in one call, only those of the first fiber are taken.
  if (current !== undefined && current.cache.scheduler === fiber.cache.scheduler) {
    fiber._dispatcher = current.currentDispatcher
  }
  depth++
  try {
    if (depth <= maxDepth) startIn(fiber, effect)
    else fiber.currentDispatcher.scheduleTask(() => startIn(fiber, effect), 0)
    return fiber as unknown as Fiber.Fiber<A>
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
    fiber.evaluate(effect)
  } catch (thrown) {
    fiber.evaluate(Exit.failCause(Cause.die(thrown)))
  }
}

/** What a fiber is made of, beside what everybody may see. */
export type FiberInside = Omit<Fiber.Fiber<any, any>, "id" | "currentOpCount"> & {
  id: number
  currentOpCount: number
  readonly interruptible: boolean
  readonly _stack: Array<unknown>
  readonly _yielded: unknown
  readonly _interruptedCause: Cause.Cause<never> | undefined
  readonly _children: Set<FiberInside> | undefined
  _dispatcher: Scheduler.SchedulerDispatcher | undefined
  readonly evaluate: (effect: Effect.Effect<any, any, any>) => void
  readonly succeedWith: (value: unknown) => Effect.Effect<any>
}

/** The class of fibers. `Effect.runFork` does the same as `forkNow`, but each in turns of its own. */
interface Inside {
  readonly FiberClass: new(context: Context.Context<never>, interruptible: boolean) => FiberInside
}

let inside: Inside | undefined

const readInside = (): Inside =>
  Effect.runSync(Effect.withFiber((fiber) => {
    refuse("Patinox", fiberMismatch(fiber))
    return Effect.succeed({ FiberClass: fiber.constructor as Inside["FiberClass"] })
  }))

/** Throws where the fibers of this version of Effect are not as this file takes them to be; looks once. */
export const checkFibers = (): void => {
  inside ??= readInside()
}

/** What about a fiber, its context and what can be done with it is not so, or `undefined` where all is. */
export const fiberMismatch = (fiber: any): string | undefined => {
  const missing = ["evaluate", "setContext", "getRef", "addObserver", "pollUnsafe", "interruptUnsafe", "succeedWith"]
    .find((name) => typeof fiber[name] !== "function")
  if (missing !== undefined) return `a fiber has no ${missing}`
  if (!(fiber.context?.mapUnsafe instanceof Map)) return "a context has no map of its services"
  if (!Array.isArray(fiber._stack)) return "a fiber has no stack of what follows"
  if (typeof fiber.interruptible !== "boolean") return "a fiber does not say whether it is interruptible"
  if (fiber.cache?.scheduler === undefined) return "a fiber does not keep its scheduler"
  const started = new fiber.constructor(Context.empty(), false)
  started.evaluate(Effect.withFiber((self) => Effect.succeed(self)))
  return started.pollUnsafe()?.value === started && !started.interruptible
    ? undefined
    : "a fiber that is started does not end at once"
}

/** The context of a new fiber: the origin's. Left as it is where there is nothing to add: many share it. */
const forkContext = (origin: Origin, cleanup: unknown): Context.Context<never> => {
  const branch = Context.get(origin, currentBranch)
  // The new fiber may have the number of the one that it comes from, and is not that one.
  const context = branch === undefined
    ? origin
    : Context.add(origin, currentBranch, forkBranch(branch))
  return cleanup === undefined ? context : Context.add(context, currentCleanup, cleanup)
}

const forkBranch = ({ inside }: Branch): Branch | undefined => {
  const current = Midst.current(inside)
  return current === undefined ? undefined : { owner: -1, inside: current }
}

/** The result of a fiber that has ended, else `undefined`. */
export const poll = <A>(fiber: Fiber.Fiber<A>): Exit.Exit<A> | undefined => fiber.pollUnsafe()

export const observe = <A, E = never>(
  fiber: Fiber.Fiber<A, E>,
  onEnd: (exit: Exit.Exit<A, E>) => void
): void => {
  fiber.addObserver(onEnd)
}

/** Sends the interruption and does not wait. What follows it in the fiber may run inside of the call. */
export const interruptLater = (fiber: Fiber.Fiber<any, any>): void => fiber.interruptUnsafe()

/** Whether the fiber traces: inside a span, or with a tracer that exports (not Effect's own default). */
export const tracingOf = ({ cache }: CurrentFiber): boolean =>
  (cache.span !== undefined || cache.tracer !== undefined) && cache.tracerEnabled

export const noFiber: Id | undefined = undefined

export const spanOf = (fiber: CurrentFiber): Tracer.AnySpan | undefined => fiber.cache.span

export const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ span, attributes: {} })

export const fiberNumber = (fiber: CurrentFiber): number => fiber.id

/** -1 where there is none. */
export const numberOf = (id: Id | undefined): number => id ?? -1

/** The id of no other fiber. */
export const newId = (): Id => new (inside ??= readInside()).FiberClass(Context.empty(), false).id

/** A fiber's id as two numbers, the other of which is `fiberNumber`. */
export const sinceOf = (_id: Id): number => 0

export const idOf = (number: number, _since: number): Id => number

/** Whether a fiber has interrupted another and is suspended, as a fiber that waits for that one's end is. */
export const isEnding = (fiber: CurrentFiber, other: CurrentFiber): boolean =>
  (fiber as FiberInside)._yielded !== undefined && isInterruptedBy(other, fiber.id)

/** Whether a fiber was interrupted by one of that id, which then waits for its end. */
export const isInterruptedBy = (fiber: CurrentFiber, id: Id): boolean => {
  const cause = (fiber as FiberInside)._interruptedCause
  return cause !== undefined && Cause.interruptors(cause).has(id)
}

/** Whether Effect starts the fibers of finalizers side by side within the close, one after the other, or turns later. */
export const startsForksAtOnce: boolean = true

export const refuse = (what: string, mismatch: string | undefined): void => {
  if (mismatch === undefined) return
  throw new Error(`${what} does not fit effect ${Version.getCurrentVersion()}: ${mismatch}. It is made for effect 4.1.`)
}

interface Step {
  readonly "~effect/Effect/identifier"?: string
  readonly "~effect/Effect/args"?: (fiber: CurrentFiber) => unknown
}

/**
 * Whether a finalizer that `Effect.forkIn` put into a scope is the one that ends `fiber`: its first step asks who runs it
 * and does nothing in that fiber, as it would wait for itself.
 */
export const endsFiber = (finalizer: Finalizer, fiber: CurrentFiber): boolean => {
  const step = finalizer(Exit.void) as Step
  return step["~effect/Effect/identifier"] === "WithFiber" && step["~effect/Effect/args"]?.(fiber) === Effect.void
}

/** The fiber in whose turn this is called, if it is one's. */
export const fiberAtWork = (): CurrentFiber | undefined => Fiber.getCurrent()

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
export const isInterruptible = (fiber: CurrentFiber): boolean => (fiber as FiberInside).interruptible

/** Belongs to no fiber. */
export const makeDeferred = <A>(): Deferred.Deferred<A> => Deferred.makeUnsafe<A>()

/** Requests that are made side by side always go out together in Effect 4, and no fiber waits for its neighbours. */
export const isBatching = (_fiber: CurrentFiber): boolean => false
