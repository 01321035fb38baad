/**
 * What the kit takes from the insides of Effect 3: running an effect on a scheduler that counts operations, and
 * interrupting it between two of them; running one on a scheduler that takes no turn of the event loop. An edition for another major of Effect rewrites this file alone.
 */
import {
  Clock,
  Context,
  DefaultServices,
  type Duration,
  Effect,
  type Exit,
  Fiber,
  FiberId,
  HashMap,
  type Logger,
  Random,
  Runtime,
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

const liveClock = Context.get(DefaultServices.liveServices, Clock.Clock)

/**
 * The same clock, whose sleeping is done by a fiber that nobody counts. `TestClock` sleeps behind a semaphore, and loses
 * its permit when it is interrupted in the wrong place: every later `adjust` would hang.
 */
const shielded = (clock: Clock.Clock, runtime: Runtime.Runtime<never>): Clock.Clock =>
  // A test's clock has more methods than a clock, and keeps them.
  clock === liveClock ? clock : Object.assign(Object.create(clock) as Clock.Clock, {
    sleep: (duration: Duration.Duration) =>
      Effect.async<void>((resume) => {
        const sleeper = Runtime.runFork(runtime, clock.sleep(duration))
        sleeper.addObserver(() => resume(Effect.void))
        return Effect.sync(() => sleeper.unsafeInterruptAsFork(FiberId.none))
      })
  })

/** In how many parts patience is measured. */
const ticks = 50

/**
 * The exit, or undefined where there is none in time. A process that gets no processor makes no progress and no ticks: the
 * time that it is kept from running counts as one of them.
 */
const endOf = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, patience: number) =>
  Effect.async<Exit.Exit<A, E> | undefined>((resume) => {
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
    let target: Fiber.RuntimeFiber<unknown, unknown> | undefined
    let interrupted = false
    let inChild = false
    const scheduler = Scheduler.make(
      (task, priority, fiber) => Scheduler.defaultScheduler.scheduleTask(task, priority, fiber),
      (fiber) => {
        // Its own fiber is the first that runs here.
        target ??= fiber
        if (++count === operations) {
          const running = target
          inChild = fiber !== running
          // As it happens in an application: the fiber at work makes way, and somebody else interrupts meanwhile.
          queueMicrotask(() => {
            interrupted = running.unsafePoll() === null
            if (interrupted) running.unsafeInterruptAsFork(FiberId.none)
          })
          return 0
        }
        return Scheduler.defaultShouldYield(fiber)
      }
    )
    return Effect.gen(function*() {
      const clock = shielded(yield* Effect.clock, yield* Effect.runtime<never>())
      const counted = Effect.withScheduler(Effect.withClock(effect, clock), scheduler)
      // No child of this fiber, which would wait for it to end, whether it ever does or not.
      const fiber = yield* Effect.forkDaemon(Effect.interruptible(counted))
      const exit = yield* Effect.onInterrupt(
        Effect.andThen(meanwhile, endOf(fiber, patience)),
        () => Fiber.interruptFork(fiber)
      )
      return { exit, operations: count, interrupted, inChild }
    })
  })

/** Why a drain stopped: nothing is ready, the turns are used up, or a turn threw. */
export type Stopped =
  | { readonly _tag: "Idle" }
  | { readonly _tag: "Spent" }
  | { readonly _tag: "Threw"; readonly thrown: unknown }

/** Runs `f`, during which the machine's own monotonic time is that of the clock: nothing else runs in this call. */
const onTimeOf = <A>(clock: Clock.Clock, f: () => A): A => {
  const { now } = performance
  performance.now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6
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
export class Turns extends Scheduler.SyncScheduler {
  /** How many turns were taken. */
  taken = 0
  private ready: Array<() => void> = []
  private readonly settling: Array<() => void> = []

  constructor(private readonly clock: Clock.Clock) {
    super()
  }

  override scheduleTask(task: () => void): void {
    this.ready.push(task)
  }

  /** Goes on once nothing is ready. */
  readonly settled: Effect.Effect<void> = Effect.async<void>((resume) => {
    this.settling.push(() => resume(Effect.void))
  })

  start<A, E>(effect: Effect.Effect<A, E>, seed: number): Fiber.RuntimeFiber<A, E> {
    const clocked = Effect.withRandom(Effect.withClock(effect, this.clock), Random.make(seed))
    return onTimeOf(this.clock, () => Effect.runFork(clocked, { scheduler: this }))
  }

  exitOf<A, E>(fiber: Fiber.RuntimeFiber<A, E>): Exit.Exit<A, E> | undefined {
    return fiber.unsafePoll() ?? undefined
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
export const turnOfTheLoop: Effect.Effect<void> = Effect.async<void>((resume) => {
  const handle = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(handle))
})

type LogLine = Logger.Logger.Options<unknown>

/** `DEBUG`, `INFO`, `WARN`, `ERROR` … */
export const levelOf = ({ logLevel }: LogLine): string => logLevel.label

export const annotationsOf = ({ annotations }: LogLine): Readonly<Record<string, unknown>> =>
  Object.fromEntries(HashMap.toEntries(annotations))
