/**
 * Counts real timers: those that an effect leaves behind, and those that keep the process alive now. Something idle should
 * hold none, as each one wakes the process up or keeps it from its end. Use `it.live` with it: a test's clock sets none.
 */
import { Effect } from "effect"
import * as Seam from "./internal/Seam.js"

type Clear = (handle: any) => void
type SetTimer = (run: (...args: ReadonlyArray<unknown>) => void, ...rest: ReadonlyArray<any>) => unknown

const names = ["setTimeout", "setInterval", "clearTimeout", "clearInterval"] as const

const watch = () => {
  const before = Object.fromEntries(names.map((name) => [name, globalThis[name]]))
  const open = new Set<unknown>()
  const clearing = (clear: Clear): Clear => (handle) => {
    open.delete(handle)
    clear(handle)
  }
  const setting = (set: SetTimer, isOnce: boolean): SetTimer => (run, ...rest) => {
    const handle = set((...args) => {
      if (isOnce) open.delete(handle)
      run(...args)
    }, ...rest)
    open.add(handle)
    return handle
  }
  Object.assign(globalThis, {
    setTimeout: setting(before["setTimeout"] as SetTimer, true),
    setInterval: setting(before["setInterval"] as SetTimer, false),
    clearTimeout: clearing(before["clearTimeout"] as Clear),
    clearInterval: clearing(before["clearInterval"] as Clear)
  })
  return { open, restore: () => Object.assign(globalThis, before) }
}

/**
 * How many timers that were set while the effect ran are not over one turn of the event loop after its end. Whoever sets
 * timers in the same process meanwhile is counted, too.
 *
 * ```ts
 * import { ProcessTimers } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const tidy = Effect.timeout(Effect.yieldNow(), "1 hours")
 * const timer = Effect.acquireRelease(
 *   Effect.sync(() => setTimeout(() => {}, 60_000)),
 *   (handle) => Effect.sync(() => clearTimeout(handle))
 * )
 * const program = Effect.scoped(Effect.all([ProcessTimers.leftBy(tidy), ProcessTimers.leftBy(timer)]))
 * console.log(await Effect.runPromise(program)) // => [0, 1]
 * ```
 */
export const leftBy = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(watch),
    ({ open }) => Effect.map(Effect.zipLeft(effect, Seam.turnOfTheLoop), () => open.size),
    ({ restore }) => Effect.sync(restore)
  )

/** How many timers keep the process alive now. */
export const active = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length
