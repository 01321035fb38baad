/** What being watched costs, and a reading of many. */
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Effect, Layer } from "effect"
import type { Family } from "../figure.js"
import { interleave, times } from "../paired.js"

const acquire = Effect.succeed("connection")
const release = () => Effect.void
const options = { typeName: "Connection" }
const guard = () => ResourceGuard.acquireRelease(acquire, release, options)

const live = 10_000

/** Gives the milliseconds since it was last asked; not those in which the machine did something else. */
const stopwatch = () => {
  let wall = performance.now()
  let cpu = process.cpuUsage()
  return (): number => {
    const spent = process.cpuUsage(cpu)
    const now = performance.now()
    // The threads of the garbage collector count as well, and may make more of it than has passed.
    const millis = Math.min(now - wall, (spent.user + spent.system) / 1_000)
    wall = now
    cpu = process.cpuUsage()
    return millis
  }
}

/** The milliseconds that an effect takes, and the longest for which nothing else had a turn in it. */
const blocking = <R>(effect: Effect.Effect<unknown, never, R>) =>
  Effect.suspend(() => {
    const lap = stopwatch()
    const laps: Array<number> = []
    let isOver = false
    const look = (): void => {
      if (isOver) return
      laps.push(lap())
      setImmediate(look)
    }
    setImmediate(look)
    return Effect.map(effect, () => {
      isOver = true
      laps.push(lap())
      return { whole: laps.reduce((sum, millis) => sum + millis), longest: Math.max(...laps) }
    })
  })

const readings = (count: number, effect: Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    for (let i = 0; i < 4; i++) yield* effect
    return yield* Effect.replicateEffect(blocking(effect), count)
  })

export const family: Family = {
  ids: ["metrics", "snapshot-block", "snapshot", "snapshot-page-block"],
  measure: ({ quick }) =>
    Effect.runPromise(
      Effect.scoped(Effect.gen(function*() {
        const off = yield* Layer.build(ResourceRegistry.layer)
        const on = yield* Layer.build(Layer.provide(ResourceRegistry.layer, ResourceMonitor.layerMetrics))
        const guards = times(2_000, () => Effect.scoped(guard()))
        const watched = yield* interleave(quick ? 9 : 25, {
          off: Effect.provide(guards, off),
          on: Effect.provide(guards, on)
        })
        const [whole, page] = yield* Effect.scoped(Effect.gen(function*() {
          const registry = yield* ResourceRegistry.ResourceRegistry
          yield* times(live, guard)
          const count = quick ? 9 : 25
          return [
            yield* readings(count, registry.snapshot),
            yield* readings(count, registry.snapshotPage({ limit: 100 }))
          ] as const
        })).pipe(Effect.provide(off))
        return {
          "metrics": watched.map((round) => round.on / round.off),
          "snapshot-block": whole.map(({ longest }) => longest),
          "snapshot": whole.map(({ whole }) => whole),
          "snapshot-page-block": page.map(({ longest }) => longest)
        }
      }))
    )
}
