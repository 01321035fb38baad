/** What a cleanup asks for ends, and is named, before that cleanup does; what has a limit of its own keeps it in a scope. */
import { describe, expect, it } from "@effect/vitest"
import {
  type Clock,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Option,
  Scope,
  TestClock
} from "effect"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"
import type { CleanupTarget } from "../src/internal/cleanup/CleanupTarget.js"
import type { Registry } from "../src/internal/registry/Registry.js"

const quiet = Logger.remove(Logger.defaultLogger)
const provided = Effect.provide(Layer.merge(ResourceRegistry.layer, quiet))

interface Inside {
  readonly inner: ResourceGuard.ResourceGuard<void>
  readonly registry: ResourceRegistry.Shape
  readonly plain: Scope.CloseableScope
  readonly scope: ResourceScope.ResourceScope
}

/** Ways of a cleanup to wait for one that hangs, whose own limit is a minute. */
const ways: Record<string, (inside: Inside) => Effect.Effect<unknown, unknown>> = {
  "cleanup of a guard": ({ inner }) => inner.cleanup,
  "cleanup by id": ({ inner, registry }) => registry.cleanup(inner.id),
  "cleanupWhere": ({ registry }) => registry.cleanupWhere(({ typeName }) => typeName === "inner"),
  "the close of a plain scope": ({ plain }) => Scope.close(plain, Exit.void),
  "the close of a ResourceScope": ({ scope }) => Scope.close(scope, Exit.void),
  "a transfer to a closed scope": ({ inner }) =>
    Effect.flatMap(Scope.make(), (closed) => Effect.andThen(Scope.close(closed, Exit.void), inner.transferTo(closed))),
  "forceCleanupAll": ({ registry }) => registry.forceCleanupAll,
  "a shutdown that it begins": ({ registry }) => registry.shutdown
}

describe("a cleanup whose limit is a second, and that waits for one that hangs by", () => {
  for (const [name, way] of Object.entries(ways)) {
    it.effect(`${name} is cleaned, and the inner one is abandoned before (P3)`, () =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const plain = yield* Scope.make()
        const scope = yield* ResourceScope.make()
        const inner = yield* Scope.extend(
          ResourceGuard.make(Effect.void, () => Effect.never, { typeName: "inner", timeout: "1 minute" }),
          name.includes("ResourceScope") ? scope : plain
        )
        const outer = yield* ResourceGuard.make(
          Effect.void,
          () => Effect.ignore(way({ inner, registry, plain, scope })),
          { typeName: "outer", timeout: "1 second" }
        )
        const cleaning = yield* Effect.fork(Effect.exit(outer.cleanup))
        yield* Effect.yieldNow()
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(cleaning)
        expect(yield* inner.state).toBe("abandoned")
        expect(yield* outer.state).toBe("cleaned")
      }).pipe(Effect.scoped, provided))
  }

  it.effect("the retry of a dead letter is cleaned, and the retry is abandoned before (P3), though no slot is free", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      let attempts = 0
      const release = Effect.suspend(() => ++attempts === 1 ? Effect.fail("refused") : Effect.never)
      const inner = yield* ResourceGuard.make(Effect.void, () => release, {
        timeout: "1 minute",
        recovery: { strategy: () => "Fail" }
      })
      yield* Effect.exit(inner.cleanup)
      const gate = yield* Deferred.make<void>()
      yield* registry.schedule({ cleanup: Deferred.await(gate), timeout: "1 minute" })
      const outer = yield* ResourceGuard.make(
        Effect.void,
        () => Effect.ignore(registry.deadLetters.retry(inner.id)),
        { typeName: "outer", timeout: "1 second" }
      )
      const cleaning = yield* Effect.fork(Effect.exit(outer.cleanup))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(cleaning)
      yield* Deferred.succeed(gate, undefined)
      expect(attempts).toBe(2)
      expect(yield* inner.state).toBe("abandoned")
      expect(yield* outer.state).toBe("cleaned")
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1, slowAfter: "1 minute" }))),
      Effect.provide(quiet)
    ))

  it.effect("cleanups three deep ends each before the one outside of it", () =>
    Effect.gen(function*() {
      const make = (release: Effect.Effect<unknown>, timeout: Duration.DurationInput) =>
        ResourceGuard.make(Effect.void, () => release, { timeout })
      const third = yield* make(Effect.never, "1 minute")
      const second = yield* make(Effect.exit(third.cleanup), "1 minute")
      const first = yield* make(Effect.exit(second.cleanup), "1 second")
      const cleaning = yield* Effect.fork(Effect.exit(first.cleanup))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(cleaning)
      expect([yield* first.state, yield* second.state, yield* third.state]).toEqual(["cleaned", "cleaned", "abandoned"])
    }).pipe(Effect.scoped, provided))

  it.effect("a shutdown that others have begun leaves that its own deadline", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const hung = yield* ResourceGuard.make(Effect.void, () => Effect.never, { timeout: "10 seconds" })
      yield* ResourceGuard.make(Effect.void, () => registry.shutdown, { timeout: "1 second" })
      const down = yield* Effect.fork(registry.shutdown)
      yield* Effect.yieldNow()
      yield* TestClock.adjust("5 seconds")
      expect(yield* hung.state).toBe("cleaning")
      yield* TestClock.adjust("5 seconds")
      expect((yield* Fiber.join(down)).totals.abandoned).toBe(2)
    }).pipe(Effect.scoped, provided))
})

describe("a registry in a ResourceScope", () => {
  it.effect("keeps the time limit of its shutdown, whatever that of a finalizer, and all that waits starts in it (P2)", () =>
    Effect.gen(function*() {
      let started = 0
      let done = 0
      const release = Effect.andThen(
        Effect.sync(() => started++),
        Effect.andThen(Effect.sleep("900 millis"), Effect.sync(() => done++))
      )
      const program = Effect.flatMap(
        ResourceRegistry.ResourceRegistry,
        (registry) => Effect.repeatN(registry.register(() => release), 399)
      )
      const closing = yield* Effect.fork(ResourceScope.provide(program, ResourceRegistry.layer))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("15 seconds")
      expect(Option.isNone(yield* Fiber.poll(closing))).toBe(true)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(closing)
      expect([started, done]).toEqual([400, 400])
    }).pipe(Effect.provide(quiet)))

  it.effect("a registry in a ResourceScope is over, with its report, within what the scope's deadline leaves it", () =>
    Effect.gen(function*() {
      for (const before of [false, true]) {
        const reports: Array<number> = []
        const scope = yield* ResourceScope.make({ timeout: "10 seconds" })
        const context = yield* Scope.extend(ResourceScope.build(ResourceRegistry.layer), scope)
        yield* Effect.gen(function*() {
          const registry = yield* ResourceRegistry.ResourceRegistry
          yield* registry.register(() => Effect.never, { timeout: "1 hour" })
          yield* Effect.forkDaemon(
            Effect.andThen(
              before ? Effect.void : Effect.never,
              Effect.map(registry.shutdown, (it) => reports.push(it.totals.total))
            )
          )
        }).pipe(Effect.provide(context))
        yield* Effect.yieldNow()
        const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
        yield* Effect.yieldNow()
        yield* TestClock.adjust("10 seconds")
        const report = yield* Fiber.join(closing)
        expect(report.totals).toMatchObject({ cleaned: 1, abandoned: 0 })
        expect(reports).toEqual(before ? [1] : [])
      }
    }).pipe(Effect.provide(quiet)))
})

describe("a timer", () => {
  it.effect("a timer is set for no finalizer that has ended, wherever its fiber yields on the way (P7)", () =>
    Effect.gen(function*() {
      const testClock = yield* Effect.clock
      const slept: Array<number> = []
      let sleepers = 0
      const clock: Clock.Clock = Object.assign(Object.create(testClock), {
        sleep: (duration: Duration.Duration) =>
          Effect.acquireUseRelease(
            Effect.sync(() => sleepers++),
            () => testClock.sleep(duration),
            () => Effect.sync(() => sleepers--)
          )
      })
      const steps = (n: number): Effect.Effect<void> =>
        n === 0 ? Effect.void : Effect.flatMap(Effect.void, () => steps(n - 1))
      for (let n = 0; n < 60; n++) {
        yield* ResourceScope.scoped(Effect.addFinalizer(() => steps(n))).pipe(
          Effect.withClock(clock),
          Effect.withMaxOpsBeforeYield(32)
        )
        yield* Effect.repeatN(Effect.yieldNow(), 10)
        slept.push(sleepers)
      }
      expect(slept).toEqual(slept.map(() => 0))
    }))

  it.effect("a timer is set for no cleanup that ends while it is told to be slow (P7)", () =>
    Effect.gen(function*() {
      const registry = yield* ResourceRegistry.ResourceRegistry
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void, { timeout: "9 seconds" })
      const timers = (registry.internal as Registry).timers
      const borrowing = yield* Effect.fork(guard.use(() => Effect.never))
      yield* Effect.yieldNow()
      const entry = (registry.internal as Registry).entries.get(guard.id)!
      // The borrower leaves in the very call in which the cleanup is reported as slow.
      const logger = Logger.make(() => {
        for (const holder of entry.holders ?? []) entry.endHold(holder)
      })
      const cleaning = yield* Effect.fork(Effect.provide(guard.cleanup, Logger.replace(Logger.defaultLogger, logger)))
      yield* Effect.yieldNow()
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(borrowing)
      yield* Fiber.join(cleaning)
      yield* TestClock.adjust("10 seconds")
      expect(yield* guard.state).toBe("cleaned")
      expect(Reflect.get(timers, "cancel")).toBe(undefined)
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
})

describe("who waits and is interrupted", () => {
  it.effect("leaves nothing with the cleanup that it waited for", () =>
    Effect.gen(function*() {
      const service = yield* ResourceRegistry.ResourceRegistry
      const registry = service.internal as Registry
      const scope = yield* Scope.make()
      const gate = yield* Deferred.make<void>()
      const guard = yield* Scope.extend(ResourceGuard.make(Effect.void, () => Deferred.await(gate)), scope)
      const entry: CleanupTarget = registry.entries.get(guard.id)!
      yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* Effect.yieldNow()
      const before = Reflect.get(entry, "watchers")
      for (const wait of [guard.cleanup, service.cleanup(guard.id), service.awaitIdle, service.forceCleanupAll]) {
        const waiting = yield* Effect.forEach([1, 2, 3], () => Effect.fork(Effect.exit(wait)))
        yield* Effect.yieldNow()
        yield* Fiber.interruptAll(waiting)
      }
      const after = Reflect.get(entry, "watchers")
      // The forced cleanups themselves go on: one watcher for each of three.
      expect(after instanceof Set ? after.size : 0).toBe(4)
      expect(after.has(before)).toBe(true)
      const condition = Reflect.get(Reflect.get(registry, "idle"), "condition")
      expect(Reflect.get(condition, "looks").size).toBe(0)
      yield* Deferred.succeed(gate, undefined)
    }).pipe(provided))
})
