/**
 * What the kit takes from the insides of Effect 4: running an effect on a scheduler that counts operations, and
 * interrupting it between two of them; running one on a scheduler that takes no turn of the event loop.
 */
import {
  Clock,
  Context,
  type Duration,
  Effect,
  type Exit,
  type Fiber,
  type Logger,
  Random,
  References,
  Scheduler
} from "effect"

export interface InterruptedRun<A, E> {
  /** Undefined where it had not ended `patience` after that. */
  readonly exit: Exit.Exit<A, E> | undefined
  /** How many operations the effect and the fibers it forked had begun when it was over. */
  readonly operations: number
  /** Whether the effect was still running when its turn to be interrupted came. */
  readonly interrupted: boolean
  /** Whether a fiber of its own was at work at that point, and not the effect itself. */
  readonly inChild: boolean
}

const liveClock = Context.get(Context.empty(), Clock.Clock)

/**
 * The same clock, whose sleeping is done by a fiber that nobody counts, and that is never interrupted in the midst of what
 * the clock does for it.
 */
const shielded = (clock: Clock.Clock, context: Context.Context<never>): Clock.Clock =>
  // A test's clock has more methods than a clock, and keeps them.
  clock === liveClock ? clock : Object.assign(Object.create(clock) as Clock.Clock, {
    sleep: (duration: Duration.Duration) =>
      Effect.callback<void>((resume) => {
        const sleeper = Effect.runForkWith(context)(clock.sleep(duration))
        sleeper.addObserver(() => resume(Effect.void))
        return Effect.sync(() => sleeper.interruptUnsafe())
      })
  })

/** In how many parts patience is measured. */
const ticks = 50

/**
 * The exit, or undefined where there is none in time. A process that gets no processor makes no progress and no ticks: the
 * time that it is kept from running counts as one of them.
 */
const endOf = <A, E>(fiber: Fiber.Fiber<A, E>, patience: number) =>
  Effect.callback<Exit.Exit<A, E> | undefined>((resume) => {
    let left = ticks
    const timer = setInterval(() => {
      if (--left > 0) return
      clearInterval(timer)
      resume(Effect.succeed(undefined))
    }, patience / ticks)
    fiber.addObserver((exit) => {
      clearInterval(timer)
      resume(Effect.succeed(exit))
    })
    return Effect.sync(() => clearInterval(timer))
  })

/**
 * Runs the effect in a fiber of its own and interrupts that after `operations` operations of it and of the fibers it
 * forks. `meanwhile` runs beside it, to move a test's clock.
 */
export const interruptAfter = <A, E, R, R2>(
  effect: Effect.Effect<A, E, R>,
  operations: number,
  meanwhile: Effect.Effect<unknown, never, R2>,
  /** Real milliseconds. */
  patience: number
): Effect.Effect<InterruptedRun<A, E>, never, R | R2> =>
  Effect.suspend(() => {
    let count = 0
    let target: Fiber.Fiber<unknown, unknown> | undefined
    let interrupted = false
    let inChild = false
    const scheduler: Scheduler.Scheduler = {
      executionMode: "async",
      makeDispatcher: () => plainScheduler.makeDispatcher(),
      shouldYield: (fiber) => {
        // Its own fiber is the first that runs here.
        const running = target ??= fiber
        if (++count !== operations) return plainScheduler.shouldYield(fiber)
        inChild = fiber !== running
        // As it happens in an application: the fiber at work makes way, and somebody else interrupts meanwhile.
        queueMicrotask(() => {
          interrupted = running.pollUnsafe() === undefined
          if (interrupted) running.interruptUnsafe()
        })
        return true
      }
    }
    return Effect.gen(function*() {
      const clock = shielded(yield* Clock.Clock, yield* Effect.context<never>())
      const counted = effect.pipe(
        Effect.provideService(Clock.Clock, clock),
        Effect.provideService(Scheduler.Scheduler, scheduler)
      )
      // No child of this fiber, which would wait for it to end, whether it ever does or not.
      const fiber = yield* Effect.forkDetach(counted)
      const exit = yield* Effect.onInterrupt(
        Effect.andThen(meanwhile, endOf(fiber, patience)),
        () => Effect.sync(() => fiber.interruptUnsafe())
      )
      return { exit, operations: count, interrupted, inChild }
    })
  })

const plainScheduler = new Scheduler.MixedScheduler()

/** Why a drain stopped: nothing is ready, the turns are used up, or a turn threw. */
export type Stopped =
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Spent" }
  | { readonly _tag: "Threw"; readonly thrown: unknown }

/** Runs `f`, during which the machine's own monotonic time is that of the clock: nothing else runs in this call. */
const onTimeOf = <A>(clock: Clock.Clock, f: () => A): A => {
  const { now } = performance
  performance.now = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
  try {
    return f()
  } finally {
    performance.now = now
  }
}

/**
 * A scheduler whose turns are taken by `drain`, first come first served, in the caller's turn of the event loop. Fibers
 * that are forked on it stay on it. As one of Effect's that does all in one call, it is not left for a turn of the loop.
 */
export class Turns implements Scheduler.Scheduler {
  readonly executionMode = "sync"
  /** How many turns were taken. */
  taken = 0
  private ready: Array<() => void> = []
  private readonly settling: Array<() => void> = []

  constructor(private readonly clock: Clock.Clock) {}

  readonly shouldYield = (fiber: Fiber.Fiber<unknown, unknown>): boolean => plainScheduler.shouldYield(fiber)

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return { scheduleTask: (task) => this.ready.push(task), flush: () => {} }
  }

  /** Goes on once nothing is ready. */
  readonly settled: Effect.Effect<void> = Effect.callback<void>((resume) => {
    this.settling.push(() => resume(Effect.void))
  })

  start<A, E>(effect: Effect.Effect<A, E>, seed: number): Fiber.Fiber<A, E> {
    const clocked = Random.withSeed(Effect.provideService(effect, Clock.Clock, this.clock), seed)
    return onTimeOf(this.clock, () => Effect.runFork(clocked, { scheduler: this }))
  }

  exitOf<A, E>(fiber: Fiber.Fiber<A, E>): Exit.Exit<A, E> | undefined {
    return fiber.pollUnsafe()
  }

  drain(maxTurns: number): Stopped {
    return onTimeOf(this.clock, () => this.drained(maxTurns))
  }

  private drained(maxTurns: number): Stopped {
    for (;;) {
      const turns = this.ready
      this.ready = []
      if (turns.length === 0) {
        const waiting = this.settling.shift()
        if (waiting === undefined) return { _tag: "Idle" }
        waiting()
      }
      for (const turn of turns) {
        if (this.taken >= maxTurns) return { _tag: "Spent" }
        this.taken++
        try {
          turn()
        } catch (thrown) {
          return { _tag: "Threw", thrown }
        }
      }
    }
  }
}

/** Goes on in a later turn of the event loop, which no timer has to wake up. */
export const turnOfTheLoop: Effect.Effect<void> = Effect.callback<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

type LogLine = Logger.Options<unknown>

/** `DEBUG`, `INFO`, `WARN`, `ERROR` … */
export const levelOf = ({ logLevel }: LogLine): string => logLevel.toUpperCase()

export const annotationsOf = ({ fiber }: LogLine): Readonly<Record<string, unknown>> =>
  fiber.getRef(References.CurrentLogAnnotations)
