/**
 * Runs an effect to its end on a clock and a scheduler of its own, which cost no real time and take no turn of the event
 * loop. How a run ends depends on the effect alone, however busy the machine is: a hung fiber is found at once, as
 * nothing is ready and only the effect moves time, and an endless fiber is found by its turns. Use it for effects that
 * wait for nothing outside: no promise, no file, no real timer. `performance.now` is the clock's during a run, so that
 * nothing depends on how long it really takes.
 */
import { type Cause, type Effect, Exit } from "effect"
import * as Seam from "./internal/Seam.js"
import * as VirtualClock from "./VirtualClock.js"

/** What an effect that is run may do with the time that it runs in. */
export interface VirtualTime {
  readonly clock: VirtualClock.VirtualClock
  /** Goes on once nothing else is ready: all others wait for something, or sleep. */
  readonly settle: Effect.Effect<void>
  /** Lets so many milliseconds pass, and settles at each instant at which somebody wakes. */
  readonly advance: (millis: number) => Effect.Effect<void>
}

/** How a run ended. `turns` is how many times a fiber was given a turn. */
export type Outcome<A, E = never> =
  | { readonly _tag: "Ended"; readonly exit: Exit.Exit<A, E>; readonly turns: number }
  /** The effect waits for something that does not come: nothing is ready. */
  | { readonly _tag: "Stuck"; readonly sleepers: number; readonly turns: number }
  /** The effect, or something that it forked, was not over after that many turns. */
  | { readonly _tag: "Endless"; readonly turns: number }
  /** A fiber's own loop threw, as Effect's does where a value that throws at `in` is thrown inside of it. */
  | { readonly _tag: "Crashed"; readonly thrown: unknown; readonly turns: number }

/** How to run. */
export interface RunOptions {
  /** Gives up after so many turns. Default 1,000,000. */
  readonly maxTurns?: number
  /** Of the random numbers that the effect sees, jitter included. Default 0. */
  readonly seed?: number
}

/**
 * Runs what `f` gives, and what that forked as far as it is ready by then, in this call.
 *
 * ```ts
 * import { ProgramRunner } from "@patinox/vitest"
 * import { Deferred, Effect, Fiber } from "effect"
 *
 * const slept = ProgramRunner.run(({ advance }) =>
 *   Effect.gen(function*() {
 *     const sleeping = yield* Effect.fork(Effect.as(Effect.sleep("1 days"), "rested"))
 *     yield* advance(86_400_000)
 *     return yield* Fiber.join(sleeping)
 *   })
 * )
 * console.log(slept._tag) // => Ended
 * console.log(ProgramRunner.run(() => Effect.flatMap(Deferred.make(), Deferred.await))._tag) // => Stuck
 * ```
 */
export const run = <A, E>(
  f: (time: VirtualTime) => Effect.Effect<A, E>,
  options: RunOptions = {}
): Outcome<A, E> => {
  const { maxTurns = 1_000_000, seed = 0 } = options
  const clock = VirtualClock.make()
  const turns = new Seam.Turns(clock.clock)
  const settle = turns.settled
  const time: VirtualTime = { clock, settle, advance: (millis) => clock.pass(millis, settle) }
  const fiber = turns.start(f(time), seed)
  const stopped = turns.drain(maxTurns)
  const taken = turns.taken
  if (stopped._tag === "Threw") return { _tag: "Crashed", thrown: stopped.thrown, turns: taken }
  if (stopped._tag === "Spent") return { _tag: "Endless", turns: taken }
  const exit = turns.exitOf(fiber)
  if (exit !== undefined) return { _tag: "Ended", exit, turns: taken }
  return { _tag: "Stuck", sleepers: clock.sleepers(), turns: taken }
}

/** The cause of a run that did not end well, or undefined. Text of it is the caller's business. */
export const failureOf = <A, E>(outcome: Outcome<A, E>): Cause.Cause<E> | Error | undefined => {
  switch (outcome._tag) {
    case "Ended":
      return Exit.isFailure(outcome.exit) ? outcome.exit.cause : undefined
    case "Stuck":
      return new Error(`Hangs: nothing is ready after ${outcome.turns} turns, and ${outcome.sleepers} sleep`)
    case "Endless":
      return new Error(`Goes on after ${outcome.turns} turns`)
    case "Crashed":
      return new Error("A fiber's loop threw", { cause: outcome.thrown })
  }
}

/**
 * The smallest list that still fails, as far as leaving parts out finds it: half of it at first, then fewer at a time.
 *
 * ```ts
 * import { ProgramRunner } from "@patinox/vitest"
 *
 * const fails = (commands: ReadonlyArray<number>) => commands.includes(3) && commands.includes(7)
 * console.log(ProgramRunner.shrink([1, 2, 3, 4, 5, 6, 7, 8], fails)) // => [3, 7]
 * ```
 */
export const shrink = <C>(
  commands: ReadonlyArray<C>,
  fails: (commands: ReadonlyArray<C>) => boolean
): ReadonlyArray<C> => {
  let smallest = commands
  for (let size = Math.ceil(commands.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < smallest.length;) {
      const candidate = smallest.filter((_, i) => i < start || i >= start + size)
      if (fails(candidate)) smallest = candidate
      else start += size
    }
  }
  return smallest
}
