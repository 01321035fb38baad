/** Shows `Acquire`. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Scope, TestClock } from "effect"
import { PatinoxError, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)
const turns = (n: number) => Effect.repeatN(Effect.yieldNow(), n)

const nothingKept = Effect.gen(function*() {
  const { accounts, acquiring, live } = yield* Effect.flatMap(registry, (r) => r.snapshot)
  expect(acquiring).toEqual([])
  expect(live).toEqual([])
  expect(accounts.live).toBe(0)
  return accounts
})

describe("an acquire", () => {
  it.effect("an acquire that fails, dies or throws leaves nothing, and its own error is the error", () =>
    Effect.gen(function*() {
      let released = false
      const release = () => Effect.sync(() => released = true)
      const failed = yield* Effect.exit(Effect.scoped(ResourceGuard.make(Effect.fail("refused"), release)))
      expect(failed).toEqual(Exit.fail("refused"))
      const died = yield* Effect.exit(Effect.scoped(ResourceGuard.make(Effect.die("broken"), release)))
      expect(Exit.isFailure(died) && Cause.squash(died.cause)).toBe("broken")
      const threw = yield* Effect.exit(Effect.scoped(ResourceGuard.make(
        Effect.sync((): number => {
          throw new Error("thrown")
        }),
        release
      )))
      expect(Exit.isFailure(threw) && String(Cause.squash(threw.cause))).toBe("Error: thrown")
      expect(released).toBe(false)
      expect(yield* nothingKept).toMatchObject({ registered: 0 })
    }).pipe(provide))

  it.effect("an acquire is uninterruptible: what it opened is released, whenever the interruption comes", () =>
    Effect.gen(function*() {
      let acquired = 0
      let released = 0
      for (let n = 0; n < 12; n++) {
        const fiber = yield* Effect.fork(Effect.scoped(Effect.andThen(
          ResourceGuard.make(
            Effect.andThen(turns(3), Effect.sync(() => acquired++)),
            () => Effect.andThen(turns(2), Effect.sync(() => released++))
          ),
          turns(3)
        )))
        yield* turns(n)
        yield* Fiber.interrupt(fiber)
        expect(released).toBe(acquired)
      }
      expect(acquired).toBeGreaterThan(8)
      yield* nothingKept
    }).pipe(provide))

  it.effect("an acquire of the interruptible variants can be interrupted while it runs, and then nothing is registered", () =>
    Effect.gen(function*() {
      let released = 0
      const release = () => Effect.sync(() => released++)
      const started = yield* Deferred.make<void>()
      const hanging = Effect.andThen(Deferred.succeed(started, undefined), Effect.never)
      for (
        const guarded of [
          ResourceGuard.makeInterruptible(hanging, release),
          ResourceGuard.acquireReleaseInterruptible(hanging, release)
        ]
      ) {
        const fiber = yield* Effect.fork(Effect.scoped(guarded))
        yield* Deferred.await(started)
        const exit = yield* Fiber.interrupt(fiber)
        expect(Exit.isInterrupted(exit)).toBe(true)
      }
      expect(released).toBe(0)
      yield* nothingKept
    }).pipe(provide))

  it.effect("an acquire whose scope closed meanwhile is released at once with the scope's exit", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      let seen: Exit.Exit<unknown, unknown> | undefined
      const acquiring = yield* Effect.fork(Scope.extend(
        ResourceGuard.make(Deferred.await(gate), (_, exit) => Effect.sync(() => seen = exit)),
        scope
      ))
      yield* Effect.yieldNow()
      yield* Scope.close(scope, Exit.fail("closed"))
      expect(seen).toBeUndefined()
      yield* Deferred.succeed(gate, undefined)
      const guard = yield* Fiber.join(acquiring)
      expect(seen).toEqual(Exit.fail("closed"))
      expect(yield* guard.state).toBe("cleaned")
      yield* nothingKept
    }).pipe(provide))

  it.effect("an acquire that ends while the registry drains is released, and fails with RegistryShuttingDown", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      let released = 0
      const acquiring = yield* Effect.fork(Effect.exit(Effect.scoped(ResourceGuard.make(
        Deferred.await(gate),
        () => Effect.sync(() => released++),
        { typeName: "Slow" }
      ))))
      yield* Effect.yieldNow()
      const shutdown = yield* Effect.fork(r.shutdown)
      yield* turns(3)
      expect(Option.isNone(yield* Fiber.poll(shutdown))).toBe(true)
      expect((yield* r.snapshot).acquiring).toMatchObject([{ typeName: "Slow" }])
      yield* Deferred.succeed(gate, undefined)
      const exit = yield* Fiber.join(acquiring)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "RegistryShuttingDown" })
      expect(released).toBe(1)
      const report = yield* Fiber.join(shutdown)
      expect(report.totals).toMatchObject({ total: 1, cleaned: 1 })
      expect(report.deadlineReached).toBe(false)
    }).pipe(provide))

  it.effect("an acquire that is not over by the deadline is listed as acquiring, and released when it ends after all", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      let released = 0
      const acquiring = yield* Effect.fork(Effect.exit(Effect.scoped(ResourceGuard.make(
        Deferred.await(gate),
        () => Effect.sync(() => released++),
        { typeName: "Slow" }
      ))))
      const shutdown = yield* Effect.fork(r.shutdown)
      yield* TestClock.adjust("25 seconds")
      const report = yield* Fiber.join(shutdown)
      expect(report.totals).toMatchObject({ total: 1, stillAcquiring: 1 })
      expect(report.records).toMatchObject([{ typeName: "Slow", outcome: "acquiring" }])
      expect(report.deadlineReached).toBe(true)
      yield* Deferred.succeed(gate, undefined)
      const exit = yield* Fiber.join(acquiring)
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "RegistryShuttingDown" })
      expect(released).toBe(1)
      yield* nothingKept
    }).pipe(provide))

  it.effect("an acquire is refused while draining, but not inside a running cleanup", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const tool = ResourceGuard.use(Effect.succeed(2), () => Effect.void)((n) => Effect.succeed(n))
      let inside: unknown
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(Effect.void, () =>
          Effect.map(Effect.provide(Effect.exit(tool), service), (exit) => inside = exit))
        const service = Context.make(registry, r)
        yield* r.shutdown
      }))
      expect(inside).toEqual(Exit.succeed(2))
      expect((yield* Effect.flip(tool))._tag).toBe("RegistryShuttingDown")
    }).pipe(provide))

  it.effect("an acquire is refused to a fiber that an ended cleanup left behind", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const result = yield* Deferred.make<string>()
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () =>
        Effect.forkDaemon(
          Effect.andThen(Deferred.await(gate), Effect.flip(r.register(() => Effect.void))).pipe(
            Effect.flatMap((error) => Deferred.succeed(result, error._tag))
          )
        )))
      yield* r.shutdown
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Deferred.await(result)).toBe("RegistryShuttingDown")
    }).pipe(provide))

  it.effect("an acquire inside a cleanup during shutdown that is left behind is cleaned up by the shutdown", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let released = 0
      const lasting = yield* Scope.make()
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.make(
          Effect.void,
          () =>
            Scope.extend(ResourceGuard.make(Effect.void, () => Effect.sync(() => released++)), lasting).pipe(
              Effect.provideService(registry, r)
            )
        )
        const report = yield* r.shutdown
        expect(report.totals).toMatchObject({ total: 2, cleaned: 2 })
      }))
      expect(released).toBe(1)
      yield* Scope.close(lasting, Exit.void)
      expect(released).toBe(1)
    }).pipe(provide))
})

describe("options", () => {
  const cases: ReadonlyArray<readonly [string, ResourceGuard.GuardOptions<void, never>, string]> = [
    ["timeout", { timeout: 0 }, "a duration above 0, or Duration.infinity"],
    ["timeout", { timeout: "soon" as never }, "a duration above 0, or Duration.infinity"],
    ["attemptTimeout", { attemptTimeout: -1 }, "a duration above 0, or Duration.infinity"],
    ["attemptTimeout", { timeout: 10, attemptTimeout: 11 }, "a duration above 0, up to the timeout of 10 ms"],
    ["slowAfter", { slowAfter: -1 }, "a duration above 0, or Duration.infinity"],
    ["slowAfter", { slowAfter: Number.NaN }, "a duration above 0, or Duration.infinity"],
    ["priority", { priority: "Urgent" as never }, "one of Low, Normal, High, Critical"],
    ["typeName", { typeName: "" }, "a text that is not empty"],
    ["sizeBytes", { sizeBytes: -1 }, "a number from 0"],
    ["sizeBytes", { sizeBytes: Number.NaN }, "a number from 0"],
    ["metadata", { metadata: { a: 1 as never } }, "a record of texts"],
    ["onFailure", { onFailure: "ignore" as never }, "one of log, die"],
    ["close", { close: "later" as never }, "one of wait, background"]
  ]

  for (const [option, options, expected] of cases) {
    it.effect(`${JSON.stringify(options)} is refused before anything is acquired, with the option and its range`, () =>
      Effect.gen(function*() {
        let acquired = false
        const exit = yield* Effect.exit(Effect.scoped(ResourceGuard.make(
          Effect.sync(() => {
            acquired = true
          }),
          () => Effect.void,
          options
        )))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(error).toBeInstanceOf(PatinoxError.Validation)
        expect((error as PatinoxError.Validation).error).toMatchObject({
          _tag: "InvalidInput",
          field: option,
          expected
        })
        expect(acquired).toBe(false)
        yield* nothingKept
      }).pipe(provide))
  }

  it.effect("infinite limits are allowed, and hold no timer", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const fiber = yield* Effect.fork(Effect.scoped(
        ResourceGuard.make(Effect.void, () => Deferred.await(gate), { timeout: Infinity, attemptTimeout: Infinity })
      ))
      yield* TestClock.adjust("365 days")
      expect(Option.isNone(yield* Fiber.poll(fiber))).toBe(true)
      expect(yield* TestClock.sleeps()).toHaveLength(0)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      expect((yield* nothingKept).cleaned).toBe(1)
    }).pipe(provide))
})

describe("typeName", () => {
  class Service extends Context.Tag("app/Service")<Service, number>() {}
  const name = Effect.map(Effect.flatMap(registry, (r) => r.list), ([info]) => info?.typeName)
  const guarded = Effect.andThen(ResourceGuard.acquireRelease(Effect.void, () => Effect.void), name)

  it.effect("typeName is what was given, else the Tag's key, else the span's name, else the place it was made", () =>
    Effect.gen(function*() {
      expect(
        yield* Effect.scoped(
          Effect.andThen(ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Given" }), name)
        )
      ).toBe("Given")
      const layer = ResourceGuard.layer(Service, Effect.succeed(1), () => Effect.void)
      expect(yield* Effect.provide(name, layer)).toBe("app/Service")
      expect(yield* Effect.withSpan(Effect.scoped(guarded), "import-orders")).toBe("import-orders")
      expect(yield* Effect.scoped(guarded)).toMatch(/^ResourceGuard\.acquiring\.test\.ts:\d+$/)
    }).pipe(provide))
})

describe("dependsOn", () => {
  class Database extends Context.Tag("app/Database")<Database, { readonly name: string }>() {}

  it.effect("takes guards, ids and Tags, and refuses what the registry does not know or no longer has", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const guard = <D extends ReadonlyArray<ResourceGuard.Dependency>>(name: string, dependsOn: D) =>
        ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(name)), { typeName: name, dependsOn })
      yield* Effect.scoped(Effect.gen(function*() {
        const a = yield* guard("a", [])
        const b = yield* guard("b", [a])
        yield* guard("c", [b.id])
        yield* guard("d", [Database])
        yield* a.cleanup
        expect(order).toEqual(["c", "b", "a"])
        expect(yield* Effect.flip(guard("e", [a]))).toMatchObject({
          _tag: "UnknownDependency",
          typeName: "e",
          reason: "cleaned up"
        })
        const unknown = yield* Effect.flip(Effect.provide(guard("f", [b.id]), ResourceRegistry.layerTest))
        expect(unknown).toMatchObject({ _tag: "UnknownDependency", reason: "unknown" })
      })).pipe(
        Effect.provide(ResourceGuard.layer(
          Database,
          Effect.succeed({ name: "db" }),
          () => Effect.sync(() => order.push("database"))
        ))
      )
      expect(order).toEqual(["c", "b", "a", "d", "database"])
    }).pipe(provide))

  it.effect("a dependency cleaned up during the acquire waits for it, and goes after its new dependent (P4)", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const base = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("base")))
        const acquiring = yield* Effect.fork(Effect.exit(Effect.scoped(ResourceGuard.make(
          Effect.andThen(Deferred.await(gate), Effect.sync(() => order.push("acquired"))),
          () => Effect.sync(() => order.push("dependent")),
          { dependsOn: [base] }
        ))))
        yield* Effect.yieldNow()
        const cleaning = yield* Effect.fork(base.cleanup)
        yield* turns(3)
        expect(order).toEqual([])
        yield* Deferred.succeed(gate, undefined)
        const exit = yield* Fiber.join(acquiring)
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({ _tag: "UnknownDependency" })
        yield* Fiber.join(cleaning)
        expect(order).toEqual(["acquired", "dependent", "base"])
      }))
    }).pipe(provide))

  for (const [first, last] of [["early", "cascaded"], ["cascaded", "early"]] as const) {
    it.effect(`a dependency waits until its dependents' releases have ended, the ${last} one too (P4)`, () =>
      Effect.gen(function*() {
        const order: Array<string> = []
        const gates = { early: yield* Deferred.make<void>(), cascaded: yield* Deferred.make<void>() }
        const slow = (name: keyof typeof gates) => () =>
          Effect.sync(() => order.push(`${name} begins`)).pipe(
            Effect.andThen(Deferred.await(gates[name])),
            Effect.andThen(Effect.sync(() => order.push(`${name} ends`)))
          )
        yield* Effect.scoped(Effect.gen(function*() {
          const base = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("base")))
          const early = yield* ResourceGuard.make(Effect.void, slow("early"), { dependsOn: [base] })
          yield* ResourceGuard.make(Effect.void, slow("cascaded"), { dependsOn: [base] })
          yield* Effect.fork(early.cleanup)
          yield* Effect.yieldNow()
          const cleaning = yield* Effect.fork(base.cleanup)
          yield* turns(3)
          yield* Deferred.succeed(gates[first], undefined)
          yield* turns(3)
          expect(order).toEqual(["early begins", "cascaded begins", `${first} ends`])
          yield* Deferred.succeed(gates[last], undefined)
          yield* Fiber.join(cleaning)
          expect(order).toEqual(["early begins", "cascaded begins", `${first} ends`, `${last} ends`, "base"])
        }))
      }).pipe(provide))
  }

  it.effect("dependsOn is dropped by disarm: what was depended on goes alone", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const base = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push("base")))
        const dependent = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.sync(() => order.push("dependent")),
          { dependsOn: [base] }
        )
        yield* dependent.disarm
        yield* base.cleanup
      }))
      expect(order).toEqual(["base"])
    }).pipe(provide))

  it.effect("holds in a chain of ten thousand", () =>
    Effect.gen(function*() {
      const order: Array<number> = []
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(0)))
        let last: ResourceGuard.Any = first
        for (let i = 1; i < 10_000; i++) {
          last = yield* ResourceGuard.make(Effect.void, () => Effect.sync(() => order.push(i)), { dependsOn: [last] })
        }
        yield* first.cleanup
      }))
      expect(order).toHaveLength(10_000)
      expect(order.every((n, i) => n === 9_999 - i)).toBe(true)
    }).pipe(provide))
})

describe("layer", () => {
  class Config extends Context.Tag("app/Config")<Config, { readonly url: string }>() {}
  class Client extends Context.Tag("app/Client")<Client, { readonly url: string }>() {}

  it.effect("layer is released when its scope closes, after the layers that need it; one instance is shared", () =>
    Effect.gen(function*() {
      const order: Array<string> = []
      const config = ResourceGuard.layer(
        Config,
        Effect.sync(() => {
          order.push("config up")
          return { url: "here" }
        }),
        () => Effect.sync(() => order.push("config down"))
      )
      const client = ResourceGuard.layer(
        Client,
        Effect.map(Config, ({ url }) => {
          order.push("client up")
          return { url }
        }),
        () => Effect.sync(() => order.push("client down"))
      )
      const app = Layer.provideMerge(client, config)
      yield* Effect.provide(Effect.map(Client, ({ url }) => order.push(url)), Layer.merge(app, config))
      expect(order).toEqual(["config up", "client up", "here", "client down", "config down"])
    }).pipe(provide))
})
