/** A monitor that keeps every event of a registry and waits for one. Provide it to the registry of the test. */
import { type ResourceEvent, ResourceMonitor } from "@patinox/core"
import { Deferred, Effect, type Layer } from "effect"

/** What a test monitor offers. */
export interface TestMonitor {
  /** Everything so far, in order. */
  readonly events: Effect.Effect<ReadonlyArray<ResourceEvent.ResourceEvent>>
  /** The first event that matches: one that was, or else the next that comes. */
  readonly waitFor: (
    predicate: (event: ResourceEvent.ResourceEvent) => boolean
  ) => Effect.Effect<ResourceEvent.ResourceEvent>
  /** Adds it to the monitors of the registry that it is provided to. */
  readonly layer: Layer.Layer<never>
}

interface Waiter {
  readonly matches: (event: ResourceEvent.ResourceEvent) => boolean
  readonly found: Deferred.Deferred<ResourceEvent.ResourceEvent>
}

/** A monitor of its own for one test. */
export const make: Effect.Effect<TestMonitor> = Effect.sync(() => {
  const seen: Array<ResourceEvent.ResourceEvent> = []
  const waiters = new Set<Waiter>()
  const onEvent = (event: ResourceEvent.ResourceEvent) =>
    Effect.suspend(() => {
      seen.push(event)
      const met = [...waiters].filter((waiter) => waiter.matches(event))
      for (const waiter of met) waiters.delete(waiter)
      return Effect.forEach(met, (waiter) => Deferred.succeed(waiter.found, event), { discard: true })
    })
  return {
    events: Effect.sync(() => [...seen]),
    waitFor: (matches) =>
      Effect.suspend(() => {
        const event = seen.find(matches)
        if (event !== undefined) return Effect.succeed(event)
        return Effect.flatMap(Deferred.make<ResourceEvent.ResourceEvent>(), (found) => {
          const waiter: Waiter = { matches, found }
          waiters.add(waiter)
          return Effect.onInterrupt(Deferred.await(found), () => Effect.sync(() => waiters.delete(waiter)))
        })
      }),
    layer: ResourceMonitor.layer(ResourceMonitor.make(onEvent))
  }
})
