/** A monitor that keeps every event of the registries it is provided to, and waits for one. */
import { type ResourceEvent, ResourceMonitor } from "@patinox/core"
import { Deferred, Effect, type Layer } from "effect"

type Event = ResourceEvent.ResourceEvent
type Tag = Event["_tag"]

/** What a test monitor offers. */
export interface TestMonitor {
  /** Everything so far, in order. */
  readonly events: Effect.Effect<ReadonlyArray<Event>>
  /** The events of a kind so far. */
  readonly eventsOf: <T extends Tag>(tag: T) => Effect.Effect<ReadonlyArray<Extract<Event, { readonly _tag: T }>>>
  /** The first event that matches: a past event, or else the next one. */
  readonly waitFor: (predicate: (event: Event) => boolean) => Effect.Effect<Event>
  /** The first event of a kind: a past event, or else the next one. */
  readonly waitForTag: <T extends Tag>(tag: T) => Effect.Effect<Extract<Event, { readonly _tag: T }>>
  /** The monitor itself, to be composed with others. */
  readonly monitor: ResourceMonitor.ResourceMonitor
  /** Adds it to the monitors of the registry that it is provided to. */
  readonly layer: Layer.Layer<never>
}

interface Waiter {
  readonly matches: (event: Event) => boolean
  readonly found: Deferred.Deferred<Event>
}

/**
 * A monitor of its own for one test.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { TestMonitor, TestResource } from "@patinox/vitest"
 * import { Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const monitor = yield* TestMonitor.make
 *   const resource = yield* TestResource.make("Database")
 *   yield* Effect.scoped(resource.guard()).pipe(
 *     Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(monitor.layer)))
 *   )
 *   const cleaned = yield* monitor.waitForTag("Cleaned")
 *   return `${cleaned.typeName} ${cleaned.record.trigger}`
 * })
 * console.log(await Effect.runPromise(program)) // => Database scope
 * ```
 */
export const make: Effect.Effect<TestMonitor> = Effect.sync(() => {
  const seen: Array<Event> = []
  const waiters = new Set<Waiter>()
  const isOf = <T extends Tag>(tag: T) => (event: Event): event is Extract<Event, { readonly _tag: T }> =>
    event._tag === tag
  const monitor = ResourceMonitor.make((event) =>
    Effect.suspend(() => {
      seen.push(event)
      const met = [...waiters].filter((waiter) => waiter.matches(event))
      for (const waiter of met) waiters.delete(waiter)
      return Effect.forEach(met, (waiter) => Deferred.succeed(waiter.found, event), { discard: true })
    })
  )
  const waitFor = (matches: (event: Event) => boolean): Effect.Effect<Event> =>
    Effect.suspend(() => {
      const event = seen.find(matches)
      if (event !== undefined) return Effect.succeed(event)
      return Effect.flatMap(Deferred.make<Event>(), (found) => {
        const waiter: Waiter = { matches, found }
        waiters.add(waiter)
        return Effect.onInterrupt(Deferred.await(found), () => Effect.sync(() => waiters.delete(waiter)))
      })
    })
  return {
    events: Effect.sync(() => [...seen]),
    eventsOf: (tag) => Effect.sync(() => seen.filter(isOf(tag))),
    waitFor,
    waitForTag: <T extends Tag>(tag: T) =>
      Effect.map(waitFor(isOf(tag)), (event) => event as Extract<Event, { readonly _tag: T }>),
    monitor,
    layer: ResourceMonitor.layer(monitor)
  }
})
