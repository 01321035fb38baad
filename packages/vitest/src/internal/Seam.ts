/**
 * What the kit takes from the insides of Effect 3: running an effect on a scheduler that counts operations, and
 * interrupting it between two of them. An edition for another major of Effect rewrites this file alone.
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

const endOf = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, patience: number) =>
  Effect.async<Exit.Exit<A, E> | undefined>((resume) => {
    const timer = setTimeout(() => resume(Effect.succeed(undefined)), patience)
    fiber.addObserver((exit) => {
      clearTimeout(timer)
      resume(Effect.succeed(exit))
    })
    return Effect.sync(() => clearTimeout(timer))
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
