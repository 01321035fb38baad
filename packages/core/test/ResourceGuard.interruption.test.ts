import { describe, expect, it } from "@effect/vitest"
import { interruptionSweep } from "@patinox/vitest"
import { Context, Effect, Layer, Schedule, Scope, Stream } from "effect"
import { ResourceGuard, ResourceMonitor, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

/** What was opened and released, of every sweep's runs together. */
const ledger = () => {
  const counts = { opened: 0, released: 0 }
  const open = Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.opened))
  const release = () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => ++counts.released))
  return { counts, open, release, guard: ResourceGuard.make(open, release) }
}

class Service extends Context.Tag("app/Service")<Service, number>() {}

type Ledger = ReturnType<typeof ledger>
type Operation = (
  books: Ledger
) => Effect.Effect<unknown, unknown, ResourceRegistry.ResourceRegistry | Scope.Scope>

const operations: Readonly<Record<string, Operation>> = {
  "make": ({ guard }) => guard,
  // An interruptible acquire must itself leave nothing behind, so these open nothing before the release is registered.
  "makeInterruptible": ({ counts, release }) =>
    Effect.andThen(
      ResourceGuard.makeInterruptible(
        Effect.yieldNow(),
        () => Effect.andThen(Effect.sync(() => ++counts.opened), release())
      ),
      Effect.yieldNow()
    ),
  "acquireRelease": ({ open, release }) => ResourceGuard.acquireRelease(open, release),
  "acquireReleaseInterruptible": ({ counts, release }) =>
    Effect.andThen(
      ResourceGuard.acquireReleaseInterruptible(
        Effect.yieldNow(),
        () => Effect.andThen(Effect.sync(() => ++counts.opened), release())
      ),
      Effect.yieldNow()
    ),
  "use": ({ open, release }) => ResourceGuard.use(open, release)(() => Effect.yieldNow()),
  "layer": ({ open, release }) =>
    Effect.provide(Effect.andThen(Service, Effect.yieldNow()), ResourceGuard.layer(Service, open, release)),
  "guard.value, use and update": ({ guard }) =>
    Effect.flatMap(
      guard,
      (made) => Effect.andThen(made.value, Effect.andThen(made.use(() => Effect.yieldNow()), made.update((n) => n)))
    ),
  "guard.cleanup": ({ guard }) => Effect.flatMap(guard, (made) => made.cleanup),
  "guard.cleanup by two at once": ({ guard }) =>
    Effect.flatMap(guard, (made) => Effect.andThen(Effect.fork(Effect.exit(made.cleanup)), Effect.exit(made.cleanup))),
  "guard.disarm": ({ counts, guard }) =>
    // Whoever disarms has the value from then on.
    Effect.flatMap(guard, (made) => Effect.uninterruptible(Effect.tap(made.disarm, () => counts.released++))),
  "guard.transferTo": ({ guard }) =>
    Effect.flatMap(
      Effect.acquireRelease(Scope.make(), Scope.close),
      (other) => Effect.flatMap(guard, (made) => made.transferTo(other))
    ),
  "register and cleanup": ({ counts, release }) =>
    Effect.flatMap(registry, (r) =>
      Effect.flatMap(
        Effect.acquireRelease(
          Effect.tap(r.register(release), () => counts.opened++),
          (id) => Effect.ignore(r.cleanup(id))
        ),
        (id) => r.cleanup(id)
      )),
  "schedule, await and cancel": ({ guard }) =>
    Effect.flatMap(
      registry,
      (r) =>
        Effect.flatMap(Effect.all([guard, guard]), ([first, second]) =>
          Effect.flatMap(Effect.all([r.schedule({ resource: first }), r.schedule({ resource: second })]), ([a, b]) =>
            Effect.andThen(b.cancel, a.await)))
    ),
  "cleanupWhere and forceCleanupAll": ({ guard }) =>
    Effect.flatMap(registry, (r) =>
      Effect.andThen(
        Effect.all([guard, guard]),
        Effect.andThen(r.cleanupWhere(() => true), Effect.andThen(guard, r.forceCleanupAll))
      )),
  "awaitIdle and the readings": ({ guard }) =>
    Effect.flatMap(
      registry,
      (r) => Effect.andThen(guard, Effect.all([r.list, r.accounts, r.snapshot, r.health, r.awaitIdle]))
    ),
  "dependsOn": ({ guard, open, release }) =>
    Effect.flatMap(
      guard,
      (base) => Effect.andThen(ResourceGuard.make(open, release, { dependsOn: [base] }), base.cleanup)
    ),
  "recovery": ({ open, release }) =>
    Effect.flatMap(
      ResourceGuard.make(open, () => Effect.andThen(Effect.yieldNow(), Effect.fail("refused")), {
        recovery: { strategy: () => "Retry", retry: Schedule.recurs(2), fallback: release }
      }),
      (made) => made.cleanup
    ),
  "events": ({ guard }) =>
    Effect.flatMap(
      registry,
      (r) => Effect.andThen(Effect.forkScoped(Stream.runDrain(r.events)), Effect.andThen(Effect.yieldNow(), guard))
    ),
  "a registry of its own, and shutdown": ({ guard }) =>
    Effect.andThen(guard, Effect.flatMap(registry, (r) => r.shutdown)).pipe(
      Effect.provide(Layer.provide(ResourceRegistry.layer, ResourceMonitor.layer(ResourceMonitor.logs)))
    )
}

describe("interrupted at every point, nothing is left open, lost or released twice (P1, P6)", () => {
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(name, () => {
      const books = ledger()
      const balanced = Effect.gen(function*() {
        const r = yield* registry
        yield* r.awaitIdle
        const { accounts, acquiring } = yield* r.snapshot
        const { live, registered, ...ends } = accounts
        expect({ live, acquiring, released: books.counts.released }).toEqual({
          live: 0,
          acquiring: [],
          released: books.counts.opened
        })
        expect(registered).toBe(ends.cleaned + ends.recovered + ends.failed + ends.abandoned + ends.disarmed)
        expect(ends.failed + ends.abandoned).toBe(0)
      })
      return Effect.gen(function*() {
        const points = yield* interruptionSweep(Effect.scoped(operation(books)), balanced)
        expect(points).toBeGreaterThan(5)
        expect(books.counts.opened).toBeGreaterThan(1)
      }).pipe(Effect.provide(ResourceRegistry.layerTest))
    })
  }
})
