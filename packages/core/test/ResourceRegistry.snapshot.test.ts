import { describe, expect, it } from "@effect/vitest"
import { Array as Arr, Cause, Deferred, Effect, FastCheck as fc, Fiber, TestClock } from "effect"
import { ResourceGuard, type ResourceId, ResourceRegistry } from "../src/index.js"
import { firstAfter } from "../src/internal/registry/Snapshot.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

const register = (count: number) =>
  Effect.flatMap(
    registry,
    (r) =>
      Effect.forEach(Arr.range(1, count), (n) => r.register(() => Effect.void, { typeName: `One ${n}`, sizeBytes: n }))
  )

/** How many turns of the event loop others have while an effect runs. */
const turnsDuring = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    let turns = 0
    let isOver = false
    const count = (): void => {
      if (isOver) return
      turns++
      setImmediate(count)
    }
    setImmediate(count)
    return Effect.map(effect, () => {
      isOver = true
      return turns
    })
  })

describe("a snapshot of many live resources", () => {
  it.effect("gives others a turn after every 250 records", () =>
    Effect.gen(function*() {
      const { snapshot } = yield* registry
      yield* register(250)
      expect(yield* turnsDuring(snapshot)).toBe(0)
      yield* register(750)
      expect(yield* turnsDuring(snapshot)).toBeGreaterThanOrEqual(3)
      expect((yield* snapshot).live.map(({ typeName }) => typeName).slice(-2)).toEqual(["One 749", "One 750"])
    }).pipe(provide))

  it.effect("is made in one call where the caller cannot wait", () =>
    Effect.gen(function*() {
      const { snapshot } = yield* registry
      yield* register(1_000)
      expect(Effect.runSync(snapshot).live).toHaveLength(1_000)
    }).pipe(provide))

  it.effect("says what was so when it began, whatever happens in those turns", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const end = yield* Deferred.make<void>()
      yield* Effect.scoped(Effect.gen(function*() {
        const guards = yield* Effect.forEach(Arr.range(1, 1_000), () =>
          ResourceGuard.make(Effect.void, () => Effect.void))
        yield* Effect.fork(guards[998]!.use(() =>
          Deferred.await(gate)
        ))
        yield* Effect.fork(guards[999]!.use(() => Deferred.await(end)))
        yield* TestClock.adjust("1 seconds")
        const before = Effect.runSync(r.snapshot)
        const reading = yield* Effect.fork(r.snapshot)
        yield* Effect.yieldNow()
        expect(reading.unsafePoll()).toBe(null)

        yield* Deferred.succeed(gate, undefined)
        yield* Effect.fork(guards[997]!.use(() => Deferred.await(end)))
        yield* register(5)
        yield* r.unregister(guards[500]!.id)
        yield* guards[501]!.cleanup
        yield* r.schedule({ resource: guards[999]! })
        expect(reading.unsafePoll()).toBe(null)
        yield* TestClock.adjust("1 seconds")

        const snapshot = yield* Fiber.join(reading)
        expect(snapshot).toEqual(before)
        expect(snapshot.live.slice(-3).map(({ holders, state }) => [state, holders.length])).toEqual([
          ["inUse", 0],
          ["inUse", 1],
          ["inUse", 1]
        ])
        yield* Deferred.succeed(end, undefined)
      }))
    }).pipe(provide))
})

describe("pages of a snapshot", () => {
  const pages = (limit: number) =>
    Effect.gen(function*() {
      const { snapshotPage } = yield* registry
      const all: Array<ResourceRegistry.RegistrySnapshotPage> = []
      let after: ResourceRegistry.SnapshotPlace | undefined
      do {
        const page = yield* snapshotPage({ limit, ...(after === undefined ? undefined : { after }) })
        all.push(page)
        after = page.next
      } while (after !== undefined)
      return all
    })

  it.effect("put together are the whole where nothing changes, and each says the rest of it", () =>
    Effect.gen(function*() {
      const { snapshot } = yield* registry
      for (let i = 0; i < 5; i++) {
        yield* register(10)
        yield* TestClock.adjust("1 seconds")
      }
      const { live, ...rest } = yield* snapshot
      for (const limit of [1, 7, 10, 49, 50, 51, 10_000]) {
        const all = yield* pages(limit)
        expect(all.flatMap((page) => page.live)).toEqual(live)
        expect(all).toHaveLength(Math.ceil(50 / limit))
        for (const { live, next, ...others } of all) {
          expect(others).toEqual(rest)
          expect(next).toEqual(next && { createdAt: live.at(-1)!.createdAt, id: live.at(-1)!.id })
        }
      }
    }).pipe(provide))

  it.effect("of nothing are one that is empty", () =>
    Effect.gen(function*() {
      expect(yield* pages(3)).toMatchObject([{ live: [], accounts: { live: 0 } }])
    }).pipe(provide))

  it.effect("of more or less than 1 to 10,000, or after what is no place, are a defect that says so", () =>
    Effect.gen(function*() {
      const { snapshotPage } = yield* registry
      const refusal = (options: unknown) =>
        Effect.map(
          Effect.flip(Effect.sandbox(snapshotPage(options as never))),
          (cause) => String(Cause.squash(cause))
        )
      for (const limit of [0, 10_001, 1.5, NaN, "1", undefined]) {
        expect(yield* refusal({ limit })).toContain("expected an integer from 1 to 10000")
      }
      for (const after of [1, {}, { createdAt: NaN, id: "a" }, { createdAt: 1 }]) {
        expect(yield* refusal({ limit: 1, after })).toContain("expected the next of a page: createdAt and id")
      }
      expect(yield* refusal(undefined)).toContain("expected an object")
    }).pipe(provide))

  const place = fc.record({
    createdAt: fc.integer({ min: 0, max: 9 }),
    id: fc.integer({ min: 0, max: 99 }).map((n) => String(n).padStart(2, "0") as ResourceId.ResourceId)
  })
  const places = fc.uniqueArray(place, { selector: ({ id }) => id, maxLength: 60 })
  const nameOf = ({ createdAt, id }: ResourceRegistry.SnapshotPlace) => `${createdAt} ${id}`

  it.prop(
    "are in the order of creation, then of ids, in whatever order a clock that was set back has left them",
    [places, fc.integer({ min: 1, max: 20 })],
    ([all, limit]) => {
      const seen: Array<string> = []
      for (let page = firstAfter(all, undefined, limit); page.length > 0; page = firstAfter(all, page.at(-1), limit)) {
        expect(page.length).toBe(Math.min(limit, all.length - seen.length))
        seen.push(...page.map(nameOf))
      }
      expect(seen).toEqual(all.map(nameOf).sort())
    },
    { fastCheck: { numRuns: 500 } }
  )
})
