/**
 * Asks the garbage collector what a program still holds: the bytes in use, and which of some objects are still there.
 * Needs no flag of Node's. Use `it.live` with it, as collecting takes real turns of the event loop.
 */
import { Effect } from "effect"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Seam from "./internal/Seam.js"

/** Watches objects without keeping them. */
export interface HeapProbe {
  /** Watches an object, and gives it back. */
  readonly track: <A extends WeakKey>(value: A) => A
  /** How many objects were tracked since the start, or since `forget`. */
  readonly tracked: () => number
  /** How many tracked objects are still there, after the collector had up to 20 turns to find none. */
  readonly kept: Effect.Effect<number>
  /** Starts again with nothing tracked. */
  readonly forget: () => void
}

const load = (): () => void => {
  if (globalThis.gc !== undefined) return globalThis.gc as () => void
  setFlagsFromString("--expose-gc")
  return runInNewContext("gc")
}

let collector: (() => void) | undefined

/** Collects all that can be collected in this turn. What finalizers and weak references hold goes in later turns. */
export const collectNow = (): void => {
  collector ??= load()
  collector()
}

/** Lets a turn of the event loop pass, and collects. */
export const collect: Effect.Effect<void> = Effect.andThen(Seam.turnOfTheLoop, Effect.sync(collectNow))

/**
 * The bytes in use once everything that can be collected has been. A difference of two readings says what lies between
 * them; allow for some kilobytes that the engine keeps, and run the code often enough beforehand that it is compiled.
 */
export const bytesInUse: Effect.Effect<number> = Effect.andThen(
  Effect.repeatN(collect, 4),
  Effect.sync(() => process.memoryUsage().heapUsed)
)

/**
 * By how many bytes the heap grows each time that a program runs: the least of three runs (`runs`), after one by which it
 * is compiled. What leaks does so in each; what the engine and other code of the process add once is left out.
 */
export const growth = <E, R>(
  program: Effect.Effect<unknown, E, R>,
  { runs = 3 }: { readonly runs?: number } = {}
): Effect.Effect<number, E, R> =>
  Effect.gen(function*() {
    yield* program
    let least = Infinity
    let before = yield* bytesInUse
    for (let run = 0; run < runs; run++) {
      yield* program
      const after = yield* bytesInUse
      least = Math.min(least, after - before)
      before = after
    }
    return least
  })

/**
 * A probe with nothing tracked.
 *
 * ```ts
 * import { HeapProbe } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const probe = HeapProbe.make()
 *   const cache = new Map([["kept", probe.track({ bulk: [1] })]])
 *   probe.track({ bulk: [2] })
 *   return `${yield* probe.kept} of ${probe.tracked()}, in a cache of ${cache.size}`
 * })
 * console.log(await Effect.runPromise(program)) // => 1 of 2, in a cache of 1
 * ```
 */
export const make = (): HeapProbe => {
  const refs: Array<WeakRef<WeakKey>> = []
  const count = () => refs.filter((ref) => ref.deref() !== undefined).length
  return {
    track: (value) => {
      refs.push(new WeakRef(value))
      return value
    },
    tracked: () => refs.length,
    kept: Effect.gen(function*() {
      for (let round = 0; round < 20 && count() > 0; round++) yield* collect
      return count()
    }),
    forget: () => {
      refs.length = 0
    }
  }
}
