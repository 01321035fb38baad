/** Shows `Monitors`, `MonitorQueue`, `RegistryReporter`, `RegistryMetrics` and, of what is taken from Effect, `Metrics` and `Queues`. */
import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import {
  Chunk,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  LogLevel,
  Metric,
  PubSub,
  Queue,
  Scope,
  Stream,
  TestClock
} from "effect"
import { type ResourceEvent, ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const watchedBy = (...monitors: ReadonlyArray<ResourceMonitor.ResourceMonitor>) =>
  Effect.provide(Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layer(ResourceMonitor.all(monitors))))

const recorder = () => {
  const events: Array<ResourceEvent.ResourceEvent> = []
  const monitor = ResourceMonitor.make((event) => Effect.sync(() => events.push(event)))
  return { events, monitor, tags: () => events.map((event) => event._tag) }
}

const guard = <E = never>(release: () => Effect.Effect<unknown, E> = () => Effect.void) =>
  ResourceGuard.make(Effect.void, release, { typeName: "Socket" })

describe("a monitor", () => {
  it.effect("sees the course of each resource, in order, with its id, type and priority", () =>
    Effect.gen(function*() {
      const { events, monitor, tags } = recorder()
      yield* Effect.gen(function*() {
        const r = yield* registry
        let broken = true
        yield* Effect.scoped(Effect.gen(function*() {
          const disarmed = yield* guard()
          yield* disarmed.disarm
          yield* guard(() => broken ? Effect.fail("refused") : Effect.void)
          const scheduled = yield* guard()
          yield* r.schedule({ resource: scheduled })
        }))
        broken = false
        yield* r.deadLetters.retry((yield* r.deadLetters.list)[0]!.id)
      }).pipe(watchedBy(monitor))
      expect(tags()).toEqual([
        "Registered",
        "Disarmed",
        "Registered",
        "Registered",
        "Scheduled",
        "Started",
        "Cleaned",
        "Started",
        "Failed",
        "Started",
        "Recovered",
        "Draining",
        "Closed"
      ])
      expect(events.find((event) => event._tag === "Recovered")).toMatchObject({
        record: { outcome: "recovered", trigger: "retried" }
      })
      const first = events[0]!
      expect(first).toMatchObject({ typeName: "Socket", priority: "Normal" })
      expect(events.filter((event) => "id" in event && event.id === (first as { readonly id: string }).id))
        .toHaveLength(2)
    }))

  it.effect("sees retries, the fallback, slowness, abandonment, and what finishes late", () =>
    Effect.gen(function*() {
      const { monitor, tags } = recorder()
      const gate = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        let attempts = 0
        const cleaning = yield* Effect.fork(Effect.scoped(ResourceGuard.make(
          Effect.void,
          () => ++attempts === 1 ? Effect.fail("first") : Deferred.await(gate),
          { timeout: "4 seconds", recovery: { strategy: () => "Retry", fallback: () => Effect.fail("no") } }
        )))
        yield* TestClock.adjust("4 seconds")
        yield* Fiber.join(cleaning)
        yield* Deferred.succeed(gate, undefined)
        yield* Effect.repeatN(Effect.yieldNow(), 5)
      }).pipe(watchedBy(monitor))
      expect(tags()).toEqual([
        "Registered",
        "Started",
        "Retried",
        "Slow",
        "FellBack",
        "Abandoned",
        "FinishedLate",
        "Draining",
        "Closed"
      ])
    }))

  it.effect("a monitor that fails, dies or throws affects no cleanup, nor another monitor", () =>
    Effect.gen(function*() {
      const broken = [
        ResourceMonitor.make(() => Effect.fail("broken")),
        ResourceMonitor.make(() => Effect.die("broken")),
        ResourceMonitor.make(() => {
          throw new Error("broken")
        }),
        ResourceMonitor.make(() => Effect.interrupt)
      ]
      const { monitor, tags } = recorder()
      let released = false
      yield* Effect.scoped(guard(() => Effect.sync(() => released = true))).pipe(watchedBy(...broken, monitor))
      expect(released).toBe(true)
      expect(tags()).toEqual(["Registered", "Started", "Cleaned", "Draining", "Closed"])
    }))

  it.effect("a monitor that hangs holds up neither cleanup nor shutdown by more than its second", () =>
    Effect.gen(function*() {
      const hanging = ResourceMonitor.make(() => Effect.never)
      let released = 0
      const app = yield* Effect.fork(
        Effect.scoped(Effect.andThen(
          guard(() => Effect.sync(() => released++)),
          guard(() => Effect.sync(() => released++))
        )).pipe(Effect.andThen(Effect.sync(() => expect(released).toBe(2))), watchedBy(hanging))
      )
      yield* Effect.repeatN(Effect.yieldNow(), 10)
      expect(released).toBe(2)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(app)
    }))

  it.effect("a monitor that hangs over one event is let go, and sees the later ones", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const monitor = ResourceMonitor.make((event) =>
        event._tag === "Started" ? Effect.never : Effect.sync(() => seen.push(event._tag))
      )
      yield* Effect.gen(function*() {
        yield* Effect.scoped(guard())
        expect(seen).toEqual(["Registered"])
        yield* TestClock.adjust("999 millis")
        expect(seen).toEqual(["Registered"])
        yield* TestClock.adjust("1 millis")
        expect(seen).toEqual(["Registered", "Cleaned"])
        expect((yield* Effect.flatMap(registry, (r) => r.health)).droppedEvents).toBe(1)
      }).pipe(watchedBy(monitor))
    }))

  it.effect("a monitor that is too slow loses events, which are counted, and holds no more than a bounded number of them", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const app = yield* Effect.fork(
        Effect.gen(function*() {
          const r = yield* registry
          for (let i = 0; i < 3000; i++) yield* Effect.scoped(guard())
          expect((yield* r.health).droppedEvents).toBe(3000 * 3 - 1 - 4096)
          yield* Deferred.succeed(gate, undefined)
        }).pipe(watchedBy(ResourceMonitor.make(() => Deferred.await(gate))))
      )
      yield* Fiber.join(app)
    }))

  it.effect("a monitor that is asynchronous gets its events one at a time and in order, the last before the layer has closed", () =>
    Effect.gen(function*() {
      let running = 0
      let most = 0
      const seen: Array<string> = []
      yield* Effect.scoped(Effect.andThen(guard(), guard())).pipe(
        watchedBy(ResourceMonitor.make((event) =>
          Effect.sync(() => most = Math.max(most, ++running)).pipe(
            Effect.andThen(Effect.yieldNow()),
            Effect.andThen(Effect.sync(() => {
              running--
              seen.push(event._tag)
            }))
          )
        ))
      )
      expect(most).toBe(1)
      expect(seen).toEqual([
        "Registered",
        "Registered",
        "Started",
        "Cleaned",
        "Started",
        "Cleaned",
        "Draining",
        "Closed"
      ])
    }))

  it.effect("adds to those that are there already", () =>
    Effect.gen(function*() {
      const outer = recorder()
      const inner = recorder()
      yield* Effect.scoped(guard()).pipe(
        Effect.provide(
          ResourceRegistry.layerTest.pipe(
            Layer.provide(ResourceMonitor.layer(inner.monitor)),
            Layer.provide(ResourceMonitor.layer(outer.monitor))
          )
        )
      )
      expect(outer.tags()).toEqual(inner.tags())
      expect(outer.tags()).toHaveLength(5)
    }))
})

describe("events", () => {
  it.effect("events of the registry are a stream from the subscription on, which ends when the registry has closed", () =>
    Effect.gen(function*() {
      const tags = yield* Effect.gen(function*() {
        const r = yield* registry
        const started = yield* Deferred.make<void>()
        const collecting = yield* Effect.forkDaemon(Stream.runCollect(
          Stream.map(r.events, (event) => event._tag).pipe(Stream.onStart(Deferred.succeed(started, undefined)))
        ))
        yield* Deferred.await(started)
        yield* Effect.repeatN(Effect.yieldNow(), 5)
        yield* Effect.scoped(guard())
        yield* r.shutdown
        return yield* Fiber.join(collecting)
      }).pipe(Effect.provide(ResourceRegistry.layerTest))
      expect(Chunk.toReadonlyArray(tags)).toEqual(["Registered", "Started", "Cleaned", "Draining", "Closed"])
    }))

  it.effect("events of a closed registry are an empty stream", () =>
    Effect.gen(function*() {
      const r = yield* registry
      yield* r.shutdown
      expect(yield* Stream.runCount(r.events)).toBe(0)
    }).pipe(Effect.provide(ResourceRegistry.layerTest)))

  it.effect("events are published to a hub by ResourceMonitor.layerEvents", () =>
    Effect.scoped(Effect.gen(function*() {
      const hub = yield* PubSub.unbounded<ResourceEvent.ResourceEvent>()
      const subscription = yield* PubSub.subscribe(hub)
      yield* Effect.scoped(guard()).pipe(
        Effect.provide(Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layerEvents(hub)))
      )
      const events = yield* Queue.takeAll(subscription)
      expect(Chunk.toReadonlyArray(events).map((event) => event._tag)).toEqual([
        "Registered",
        "Started",
        "Cleaned",
        "Draining",
        "Closed"
      ])
    })))
})

describe("logs", () => {
  it.effect("logs are one line an event at debug level, with the resource's id", () =>
    Effect.gen(function*() {
      const { entries: lines, layer } = TestLog.make()
      yield* Effect.scoped(guard()).pipe(
        Effect.provide(Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layerLogs)),
        Effect.provide(layer),
        Logger.withMinimumLogLevel(LogLevel.Debug)
      )
      expect(lines.map((line) => line.level)).toEqual(Array.from({ length: 5 }, () => "DEBUG"))
      expect(lines[0]!.message).toContain("Socket")
      expect(lines[0]!.annotations).toMatchObject({ "patinox.resource.id": expect.any(String) })
    }))
})

describe("metrics", () => {
  const value = (name: string, tags: Record<string, string>) =>
    Effect.map(Metric.snapshot, (pairs) =>
      [...pairs].find((pair) => {
        const { metricKey } = pair
        const own = Object.fromEntries([...metricKey.tags].map((label) => [label.key, label.value]))
        return metricKey.name === name && Object.entries(tags).every(([key, expected]) => own[key] === expected)
      })?.metricState as unknown as Record<string, unknown> | undefined)

  it.effect("metrics keep live by type, waiting by priority, outcomes, retries, slow ones, wait and run times", () =>
    Effect.gen(function*() {
      const type = { type: "Metered" }
      const metered = <E>(release: () => Effect.Effect<unknown, E>) =>
        ResourceGuard.make(Effect.void, release, { typeName: "Metered", priority: "High" })
      yield* Effect.gen(function*() {
        const r = yield* registry
        const gate = yield* Deferred.make<void>()
        const scope = yield* Scope.make()
        yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
        const first = yield* Scope.extend(metered(() => Effect.void), scope)
        yield* Scope.extend(metered(() => Effect.fail("refused")), scope)
        yield* r.schedule({ resource: first })
        expect(yield* value("patinox_resources_live", type)).toMatchObject({ value: 2 })
        expect(yield* value("patinox_cleanups_waiting", { priority: "High" })).toMatchObject({ value: 1 })
        yield* Scope.close(scope, Exit.void)
        expect(yield* value("patinox_resources_live", type)).toMatchObject({ value: 0 })
        expect(yield* value("patinox_cleanups_waiting", { priority: "High" })).toMatchObject({ value: 0 })
        expect(yield* value("patinox_resources_ended_total", { ...type, outcome: "cleaned" })).toMatchObject({
          count: 1
        })
        expect(yield* value("patinox_resources_ended_total", { ...type, outcome: "failed" })).toMatchObject({
          count: 1
        })
        expect(yield* value("patinox_cleanup_run_millis", type)).toMatchObject({ count: 2 })
        expect(yield* value("patinox_cleanup_wait_millis", type)).toMatchObject({ count: 2 })
        yield* TestClock.adjust("1 seconds")
        expect(yield* value("patinox_cleanups_slow_total", { type: "blocker" })).toMatchObject({ count: 1 })
        yield* Deferred.succeed(gate, undefined)
      }).pipe(Effect.provide(
        Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(Layer.provide(ResourceMonitor.layerMetrics))
      ))
    }))

  it.effect("metrics have one series for all that is named by spans, however many there are", () =>
    Effect.gen(function*() {
      const request = (id: number) =>
        Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void)).pipe(Effect.withSpan(`GET /users/${id}`))
      yield* Effect.forEach([1, 2, 3], request, { discard: true }).pipe(
        Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(ResourceMonitor.layerMetrics)))
      )
      const pairs = yield* Metric.snapshot
      const types = pairs.flatMap(({ metricKey }) => metricKey.tags).filter(({ key }) => key === "type")
      expect(types.filter(({ value }) => value.startsWith("GET /users"))).toEqual([])
      expect(yield* value("patinox_resources_ended_total", { type: "unnamed", outcome: "cleaned" })).toMatchObject({
        count: 3
      })
    }))

  it.effect("metrics of what waits go by the priority that the request was given", () =>
    Effect.scoped(Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
      const low = yield* ResourceGuard.make(Effect.void, () => Effect.void, { priority: "Low" })
      yield* r.schedule({ resource: low, priority: "Critical" })
      expect(yield* value("patinox_cleanups_waiting", { priority: "Critical" })).toMatchObject({ value: 1 })
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
      expect(yield* value("patinox_cleanups_waiting", { priority: "Critical" })).toMatchObject({ value: 0 })
    })).pipe(Effect.provide(
      Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(Layer.provide(ResourceMonitor.layerMetrics))
    )))

  it.effect("metrics of what waits are right again when a waiting cleanup is taken back", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
      const own = yield* r.schedule({ typeName: "own", priority: "Critical", cleanup: Effect.void })
      expect(yield* value("patinox_cleanups_waiting", { priority: "Critical" })).toMatchObject({ value: 1 })
      yield* own.cancel
      expect(yield* value("patinox_cleanups_waiting", { priority: "Critical" })).toMatchObject({ value: 0 })
      yield* Deferred.succeed(gate, undefined)
    }).pipe(Effect.provide(
      Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(Layer.provide(ResourceMonitor.layerMetrics))
    )))

  it.effect("count at once and lose nothing where another monitor is too slow for its events", () =>
    Effect.gen(function*() {
      const outcome = { type: "Beside a slow one", outcome: "cleaned" }
      const both = ResourceMonitor.all([yield* ResourceMonitor.metrics, ResourceMonitor.make(() => Effect.never)])
      const guarded = Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void, { typeName: outcome.type }))
      const app = yield* Effect.fork(
        Effect.gen(function*() {
          for (let i = 0; i < 3000; i++) yield* guarded
          expect((yield* Effect.flatMap(registry, (r) => r.health)).droppedEvents).toBeGreaterThan(4000)
          expect(yield* value("patinox_resources_ended_total", outcome)).toMatchObject({ count: 3000 })
        }).pipe(watchedBy(both))
      )
      yield* Effect.repeatN(Effect.yieldNow(), 100)
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(app)
    }))

  it.effect("count once, however often they are added", () =>
    Effect.gen(function*() {
      const type = { type: "Added twice" }
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Added twice" })
        expect(yield* value("patinox_resources_live", type)).toMatchObject({ value: 1 })
      })).pipe(Effect.provide(ResourceRegistry.layerTest.pipe(
        Layer.provide(ResourceMonitor.layerMetrics),
        Layer.provide(ResourceMonitor.layer(yield* ResourceMonitor.metrics))
      )))
      expect(yield* value("patinox_resources_live", type)).toMatchObject({ value: 0 })
      expect(yield* value("patinox_cleanup_run_millis", type)).toMatchObject({ count: 1 })
    }))

  it.effect("have the labels that the application gives to its metrics where the registry is built", () =>
    Effect.gen(function*() {
      const labels = { service: "orders", type: "Labelled" }
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Labelled" })).pipe(
        Effect.provide(Layer.provide(ResourceRegistry.layerTest, ResourceMonitor.layerMetrics)),
        Effect.tagMetrics("service", "orders")
      )
      expect(yield* value("patinox_resources_live", labels)).toMatchObject({ value: 0 })
      expect(yield* value("patinox_resources_ended_total", { ...labels, outcome: "cleaned" })).toMatchObject({
        count: 1
      })
    }))

  it.effect("are kept of events that somebody else hands to the monitor", () =>
    Effect.gen(function*() {
      const type = { type: "Handed on" }
      const metrics = yield* ResourceMonitor.metrics
      const seen: Array<string> = []
      const monitor = ResourceMonitor.make((event) =>
        Effect.andThen(Effect.sync(() => seen.push(event._tag)), metrics.onEvent(event))
      )
      yield* Effect.gen(function*() {
        const r = yield* registry
        const gate = yield* Deferred.make<void>()
        yield* r.schedule({ typeName: "blocker", cleanup: Deferred.await(gate) })
        const scope = yield* Scope.make()
        const make = ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Handed on", priority: "Low" })
        yield* r.schedule({ resource: yield* Scope.extend(make, scope) })
        expect(yield* value("patinox_cleanups_waiting", { priority: "Low" })).toMatchObject({ value: 1 })
        yield* Scope.close(scope, Exit.void)
        yield* Deferred.succeed(gate, undefined)
      }).pipe(Effect.provide(
        Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(Layer.provide(ResourceMonitor.layer(monitor)))
      ))
      expect(seen).toContain("Cleaned")
      expect(yield* value("patinox_cleanups_waiting", { priority: "Low" })).toMatchObject({ value: 0 })
      expect(yield* value("patinox_resources_live", type)).toMatchObject({ value: 0 })
      expect(yield* value("patinox_cleanup_wait_millis", type)).toMatchObject({ count: 1 })
    }))
})
