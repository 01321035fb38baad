/** Shows `CallSite` and `LeakDetector`. */
import { describe, expect, it } from "@effect/vitest"
import { TestLog } from "@patinox/vitest"
import { Context, Effect, Exit, Layer, Logger, Scope, TestClock } from "effect"
import { type ResourceEvent, ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

const watching = () => {
  const events: Array<ResourceEvent.ResourceEvent> = []
  const { layer: log, messages: lines } = TestLog.make()
  return {
    events,
    lines,
    leaks: () => events.filter((event) => event._tag === "LeakSuspected" || event._tag === "LeakResolved"),
    provide: (options: ResourceRegistry.RegistryOptions) =>
      Effect.provide(
        Layer.orDie(ResourceRegistry.layerWith(options)).pipe(
          Layer.provide(ResourceMonitor.layer(ResourceMonitor.make((event) => Effect.sync(() => events.push(event))))),
          Layer.provideMerge(log)
        )
      )
  }
}

const guard = (typeName: string) => ResourceGuard.make(Effect.void, () => Effect.void, { typeName })
// Without a type name: the stack is that of the place where the effect is made.
const unnamed = () => ResourceGuard.make(Effect.void, () => Effect.void)

describe("a leak", () => {
  it.effect("a leak is suspected after the threshold, with owner and acquire stack, and resolved when it ends", () => {
    const { leaks, lines, provide } = watching()
    return Effect.gen(function*() {
      const r = yield* registry
      const scope = yield* Scope.make()
      const leaked = yield* Effect.withSpan(Scope.extend(unnamed(), scope), "import-orders")
      yield* TestClock.adjust("59 seconds")
      expect(leaks()).toEqual([])
      yield* TestClock.adjust("1 seconds")
      expect(leaks()).toMatchObject([{
        _tag: "LeakSuspected",
        id: leaked.id,
        typeName: "import-orders",
        ageMillis: 60_000,
        owner: { spanName: "import-orders" },
        acquireStack: expect.stringContaining("ResourceRegistry.leaks.test.ts")
      }])
      expect(lines[0]).toContain("import-orders may be leaked: it has been live for 1 min")
      expect((yield* r.snapshot).live[0]).toMatchObject({ leakSuspected: true })
      yield* TestClock.adjust("1 hours")
      expect(leaks()).toHaveLength(1)
      yield* Scope.close(scope, Exit.void)
      expect(leaks()[1]).toMatchObject({ _tag: "LeakResolved", id: leaked.id, outcome: "cleaned" })
      expect(lines[1]).toContain("import-orders was not leaked")
    }).pipe(provide({ leakThreshold: "1 minutes", captureStacks: "all" }))
  })

  it.effect("a leak is suspected of each resource in its own time; one that has ended is not", () => {
    const { leaks, provide } = watching()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      const first = yield* Scope.extend(guard("first"), scope)
      yield* TestClock.adjust("30 seconds")
      yield* Scope.extend(guard("second"), scope)
      yield* Effect.scoped(guard("short"))
      yield* TestClock.adjust("30 seconds")
      expect(leaks()).toMatchObject([{ typeName: "first" }])
      yield* first.cleanup
      yield* TestClock.adjust("30 seconds")
      expect(leaks()).toMatchObject([
        { _tag: "LeakSuspected", typeName: "first" },
        { _tag: "LeakResolved", typeName: "first" },
        { _tag: "LeakSuspected", typeName: "second" }
      ])
      yield* Scope.close(scope, Exit.void)
    }).pipe(provide({ leakThreshold: "1 minutes" }))
  })

  it.effect("a leak is not looked for by default", () => {
    const { leaks, provide } = watching()
    return Effect.gen(function*() {
      yield* guard("one")
      yield* TestClock.adjust("365 days")
      expect(leaks()).toEqual([])
    }).pipe(Effect.scoped, provide({}))
  })
})

describe("acquire stacks", () => {
  class Service extends Context.Tag("app/Service")<Service, number>() {}
  // Made here, before any registry that wants stacks.
  const layer = ResourceGuard.layer(Service, Effect.succeed(1), () => Effect.fail("refused"))

  it.effect("acquire stacks of named guards, layers and what has no scope are in readings, events and dead letters", () => {
    const { events, provide } = watching()
    return Effect.gen(function*() {
      const r = yield* registry
      const here = expect.stringContaining("ResourceRegistry.leaks.test.ts")
      yield* Effect.scoped(Effect.gen(function*() {
        yield* guard("named")
        const id = yield* r.register(() => Effect.void, { typeName: "registered" })
        expect((yield* Effect.provide(r.list, layer)).map((info) => [info.typeName, info.acquireStack])).toEqual([
          ["named", here],
          ["registered", here],
          ["app/Service", here]
        ])
        yield* r.unregister(id)
      }))
      expect(events.filter((event) => event._tag === "Registered").map((event) => event.acquireStack)).toEqual([
        here,
        here,
        here
      ])
      expect(yield* r.deadLetters.list).toMatchObject([{ typeName: "app/Service", acquireStack: here }])
    }).pipe(provide({ captureStacks: "all" }))
  })

  it.effect("acquire stacks are none where they are off, of layers neither", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const [info] = yield* Effect.provide(r.list, layer)
      expect(info).toMatchObject({ typeName: "app/Service" })
      expect(info).not.toHaveProperty("acquireStack")
    }).pipe(Effect.provide(Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger)))))

  const stacks = (captureStacks: "off" | "sampled" | "all", n: number) =>
    Effect.scoped(Effect.gen(function*() {
      const r = yield* registry
      for (let i = 0; i < n; i++) yield* unnamed()
      return (yield* r.list).filter((info) => info.acquireStack !== undefined).length
    })).pipe(Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ captureStacks }))))

  it.effect("acquire stacks are kept of nobody, of one in 128, or of all; and of nobody again when the registry has closed", () =>
    Effect.gen(function*() {
      expect(yield* stacks("off", 10)).toBe(0)
      expect(yield* stacks("sampled", 256)).toBe(2)
      expect(yield* stacks("all", 10)).toBe(10)
      expect(yield* stacks("off", 10)).toBe(0)
    }))
})
