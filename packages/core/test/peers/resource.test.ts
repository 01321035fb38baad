/**
 * What the tests of Effect's `Resource` and `ScopedRef` promise to their users, asked of them and of a refreshable; where
 * these go wrong is in `ResourceGuard.refreshable.effect.test.ts`.
 */
import { Deferred, Effect, Exit, Fiber, Option, Resource, Schedule, Scope, ScopedRef, TestClock } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceGuard, ResourceRegistry } from "../../src/index.js"
import { closeVoid, turns } from "./log.js"

interface Subject {
  readonly get: Effect.Effect<number, unknown>
  readonly refresh: Effect.Effect<void, unknown>
  readonly self: unknown
}

/** Gives what holds the value that `acquire` opens, anew at each refresh and whenever the schedule says so. */
type Part = (
  acquire: Effect.Effect<number, string, Scope.Scope>,
  schedule?: Schedule.Schedule<unknown, unknown>
) => Effect.Effect<Subject, unknown, Scope.Scope>

const around = (effect: Effect.Effect<unknown, unknown, any>) =>
  Effect.provide(Effect.scoped(effect), ResourceRegistry.layerTest) as Effect.Effect<unknown, unknown>

const resource: Part = (acquire, schedule) =>
  Effect.map(
    schedule === undefined ? Resource.manual(acquire) : Resource.auto(acquire, schedule),
    (self) => ({ self, get: Resource.get(self), refresh: Resource.refresh(self) })
  )
const scopedRef: Part = (acquire) =>
  Effect.map(ScopedRef.fromAcquire(acquire), (self) => ({
    self,
    get: ScopedRef.get(self),
    refresh: ScopedRef.set(self, acquire)
  }))
const refreshable: Part = (acquire, schedule) =>
  Effect.map(
    ResourceGuard.refreshable(acquire, () => Effect.void, schedule && { schedule }),
    (self) => ({ self, get: self.value, refresh: Effect.zipLeft(self.refresh, turns) })
  ) as ReturnType<Part>

const asResource = beside<Part>({ effects: resource, ours: refreshable }, around)
const asScopedRef = beside<Part>({ effects: scopedRef, ours: refreshable }, around)

/** Values 1, 2, 3 .., and how many of them have been opened and closed. */
const counter = () => {
  const counts = { acquired: 0, released: 0 }
  const acquire = Effect.acquireRelease(
    Effect.sync(() => ++counts.acquired),
    () => Effect.sync(() => counts.released++)
  )
  return { acquire, counts }
}

// --- Resource -------------------------------------------------------------------------------------------------------

asResource.same(
  "a value stays until it is refreshed by hand, and then is the new one",
  (make) =>
    Effect.gen(function*() {
      let value = 0
      const { get, refresh } = yield* make(Effect.sync(() => value))
      const first = yield* get
      value = 1
      const second = yield* get
      yield* refresh
      return [first, second, yield* get]
    }),
  [0, 0, 1]
)

asResource.same(
  "a value is refreshed when its schedule says so",
  (make) =>
    Effect.gen(function*() {
      let value = 0
      const { get } = yield* make(Effect.sync(() => value), Schedule.spaced("4 seconds"))
      value = 1
      const seen = [yield* get]
      for (const seconds of [3, 2]) {
        yield* TestClock.adjust(seconds * 1_000)
        yield* turns
        seen.push(yield* get)
      }
      return seen
    }),
  [0, 0, 1]
)

asResource.same(
  "a refresh by its schedule that fails leaves the value that can be had",
  (make) =>
    Effect.gen(function*() {
      let next: Effect.Effect<number, string> = Effect.succeed(7)
      const { get } = yield* make(Effect.suspend(() => next), Schedule.spaced("4 seconds"))
      next = Effect.fail("refused")
      yield* TestClock.adjust("5 seconds")
      yield* turns
      return yield* get
    }),
  7
)

asResource.differs(
  "making a refreshable fails if its first acquire fails: there it is made, and every reading fails",
  (make) =>
    Effect.matchEffect(make(Effect.fail("refused")), {
      onFailure: (error) => Effect.succeed(`not made: ${error}`),
      onSuccess: ({ get }) => Effect.map(Effect.flip(get), (error) => `made, and read: ${error}`)
    }),
  { effects: "made, and read: refused", ours: "not made: refused" }
)

asResource.same(
  "a refresh by hand fails with the failure of its acquire",
  (make) =>
    Effect.gen(function*() {
      let next: Effect.Effect<number, string> = Effect.succeed(7)
      const { get, refresh } = yield* make(Effect.suspend(() => next))
      next = Effect.fail("refused")
      return [yield* Effect.flip(refresh), yield* get]
    }),
  ["refused", 7]
)

asResource.differs(
  "a refreshable is no Effect, as its value is read, borrowed or held: Effect's is one, which reads it",
  (make) => Effect.map(make(Effect.succeed(7)), ({ self }) => Effect.isEffect(self)),
  { effects: true, ours: false }
)

// --- ScopedRef ------------------------------------------------------------------------------------------------------

for (const times of [1, 2, 3]) {
  asScopedRef.same(
    `after ${times} replacements the value is the last, and all others are released`,
    (make) =>
      Effect.gen(function*() {
        const { acquire, counts } = counter()
        const { get, refresh } = yield* make(acquire)
        for (let i = 0; i < times; i++) yield* refresh
        // Effect's keeps what was replaced after the first until its scope closes.
        return [yield* get, counts.acquired, yield* get]
      }),
    [times + 1, times + 1, times + 1]
  )
}

asScopedRef.same(
  "the first replacement releases the value that it replaces",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const { refresh } = yield* make(acquire)
      const before = counts.released
      yield* refresh
      return [before, counts.released]
    }),
  [0, 1]
)

asScopedRef.same(
  "the end of its scope releases every value, each once",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const scope = yield* Scope.make()
      const { refresh } = yield* Scope.extend(make(acquire), scope)
      for (let i = 0; i < 3; i++) yield* refresh
      yield* closeVoid(scope)
      return counts
    }),
  { acquired: 4, released: 4 }
)

asScopedRef.same(
  "a reading during a replacement gives the old value",
  (make) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      let opened = 0
      const { get, refresh } = yield* make(
        Effect.suspend(() => opened++ === 0 ? Effect.succeed(1) : Effect.as(Deferred.await(gate), 2))
      )
      const refreshing = yield* Effect.fork(refresh)
      yield* turns
      const during = yield* get
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(refreshing)
      return [during, yield* get]
    }),
  [1, 2]
)

asScopedRef.differs(
  "interrupting a replacement ends the waiting, and the new value is used or released: there the interruption waits for the acquire",
  (make) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const { acquire, counts } = counter()
      const { refresh } = yield* make(
        Effect.suspend(() => counts.acquired === 0 ? acquire : Effect.andThen(Deferred.await(gate), acquire))
      )
      const refreshing = yield* Effect.fork(refresh)
      yield* turns
      const interrupting = yield* Effect.fork(Fiber.interrupt(refreshing))
      yield* turns
      const hasEnded = Option.isSome(yield* Fiber.poll(interrupting))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      yield* turns
      return { hasEnded, left: counts.acquired - counts.released }
    }),
  { effects: { hasEnded: false, left: 1 }, ours: { hasEnded: true, left: 1 } }
)

asScopedRef.differs(
  "a closed scope takes no new value: there a replacement opens a value that is never released",
  (make) =>
    Effect.gen(function*() {
      const { acquire, counts } = counter()
      const scope = yield* Scope.make()
      const { refresh } = yield* Scope.extend(make(acquire), scope)
      yield* Scope.close(scope, Exit.void)
      yield* Effect.exit(refresh)
      return counts
    }),
  { effects: { acquired: 2, released: 1 }, ours: { acquired: 1, released: 1 } }
)
