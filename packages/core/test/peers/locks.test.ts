/**
 * What the tests of Effect's `TReentrantLock` promise to its users, with the locks held in scopes of Effect's and in a
 * ResourceScope: a lock remembers its owner by the fiber that took it, and so a close has to give it back under that fiber's id.
 */
import {
  Deferred,
  Effect,
  type ExecutionStrategy,
  Fiber,
  Layer,
  Option,
  Scope,
  STM,
  TReentrantLock,
  TSemaphore
} from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceScope } from "../../src/index.js"
import { closeVoid, turns } from "./log.js"

interface Part {
  readonly make: (strategy?: ExecutionStrategy.ExecutionStrategy) => Effect.Effect<Scope.CloseableScope>
  readonly scoped: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Scope.Scope>>
  readonly provide: <A, E, R, A2, E2, R2>(
    effect: Effect.Effect<A, E, R>,
    layer: Layer.Layer<A2, E2, R2>
  ) => Effect.Effect<A, E | E2, R2 | Exclude<R, A2>>
}

const { same } = beside<Part>({
  effects: { make: Scope.make, scoped: Effect.scoped, provide: Effect.provide },
  ours: {
    make: (strategy) => ResourceScope.make(strategy && { strategy }),
    scoped: ResourceScope.scoped,
    provide: ResourceScope.provide
  }
})

const { readLock, writeLock } = TReentrantLock

/** How many read and write locks are held. */
const held = (lock: TReentrantLock.TReentrantLock) =>
  STM.commit(STM.all([TReentrantLock.readLocks(lock), TReentrantLock.writeLocks(lock)]))

/** Holds what is taken in a fiber of its own until the gate opens. */
const holding = <A>(part: Part, take: Effect.Effect<A, never, Scope.Scope>, gate: Deferred.Deferred<void>) =>
  Effect.zipLeft(Effect.fork(part.scoped(Effect.zipLeft(take, Deferred.await(gate)))), turns)

const isOver = (fiber: Fiber.Fiber<unknown>) => Effect.andThen(turns, Effect.map(Fiber.poll(fiber), Option.isSome))

same(
  "a read lock is the first, and free again when its scope closes",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      return [yield* scoped(readLock(lock)), yield* held(lock)]
    }),
  [1, [0, 0]]
)

same(
  "a write lock is the first, and free again when its scope closes",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      return [yield* scoped(Effect.andThen(writeLock(lock), held(lock))), yield* held(lock)]
    }),
  [[0, 1], [0, 0]]
)

same(
  "one fiber can read twice, and holds two",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const inner = scoped(readLock(lock))
      return [yield* scoped(Effect.andThen(readLock(lock), inner)), yield* held(lock)]
    }),
  [2, [0, 0]]
)

same(
  "two fibers read at once, and each counts its own",
  (part) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const gate = yield* Deferred.make<void>()
      const first = yield* holding(part, readLock(lock), gate)
      const second = yield* Fiber.join(yield* Effect.fork(part.scoped(readLock(lock))))
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      return [second, yield* held(lock)]
    }),
  [1, [0, 0]]
)

same(
  "a reader waits for the writer, and gets the lock when the writer's scope closes",
  (part) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const gate = yield* Deferred.make<void>()
      const writer = yield* holding(part, writeLock(lock), gate)
      const reader = yield* Effect.fork(part.scoped(readLock(lock)))
      const before = [yield* isOver(reader), yield* held(lock)]
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(writer)
      return [before, yield* Fiber.join(reader), yield* held(lock)]
    }),
  [[false, [0, 1]], 1, [0, 0]]
)

same(
  "a writer may read as well, and both locks are free again",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const inside = scoped(Effect.zip(readLock(lock), held(lock)))
      return [yield* scoped(Effect.andThen(writeLock(lock), inside)), yield* held(lock)]
    }),
  [[1, [1, 1]], [0, 0]]
)

same(
  "the only reader may write as well, and both locks are free again",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const inside = scoped(Effect.zip(writeLock(lock), held(lock)))
      return [yield* scoped(Effect.andThen(readLock(lock), inside)), yield* held(lock)]
    }),
  [[1, [1, 1]], [0, 0]]
)

same(
  "a reader that wants to write waits for the other reader",
  (part) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const gate = yield* Deferred.make<void>()
      const other = yield* holding(part, readLock(lock), gate)
      const fiber = yield* Effect.fork(part.scoped(Effect.andThen(readLock(lock), part.scoped(writeLock(lock)))))
      const before = yield* isOver(fiber)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(other)
      return [before, yield* Fiber.join(fiber), yield* held(lock)]
    }),
  [false, 1, [0, 0]]
)

same(
  "a lock that a layer holds is free again when what it was provided to has ended",
  ({ provide }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const during = yield* provide(held(lock), Layer.scopedDiscard(Effect.zip(writeLock(lock), readLock(lock))))
      return [during, yield* held(lock)]
    }),
  [[1, 1], [0, 0]]
)

same(
  "a lock is free again where its scope is closed after others, by the fiber that took it",
  ({ make }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const scope = yield* make()
      yield* Scope.extend(writeLock(lock), scope)
      yield* Scope.addFinalizer(scope, turns)
      yield* closeVoid(scope)
      return yield* held(lock)
    }),
  [0, 0]
)

same(
  "a lock is held until the finalizer that waits for something else has ended",
  ({ make }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const gate = yield* Deferred.make<void>()
      const scope = yield* make()
      const closing = yield* Effect.fork(Effect.gen(function*() {
        yield* Scope.extend(writeLock(lock), scope)
        yield* Scope.addFinalizer(scope, Deferred.await(gate))
        yield* closeVoid(scope)
      }))
      yield* turns
      const during = yield* held(lock)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      return [during, yield* held(lock)]
    }),
  [[0, 1], [0, 0]]
)

same(
  "a child's close gives back what its own finalizers took, within the parent's",
  ({ make, scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const parent = yield* make()
      yield* Scope.extend(writeLock(lock), parent)
      const inner = yield* Scope.extend(Effect.parallelFinalizers(scoped(readLock(lock))), parent)
      const before = yield* held(lock)
      yield* closeVoid(parent)
      return [inner, before, yield* held(lock)]
    }),
  [1, [0, 1], [0, 0]]
)

same(
  "an interrupted holder gives the lock back",
  (part) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const gate = yield* Deferred.make<void>()
      for (const take of [readLock(lock), writeLock(lock)]) {
        yield* Fiber.interrupt(yield* holding(part, take, gate))
      }
      return yield* held(lock)
    }),
  [0, 0]
)

same(
  "a finalizer may take the lock that its scope holds",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      let inside: ReadonlyArray<number> = []
      yield* scoped(Effect.andThen(
        writeLock(lock),
        Effect.addFinalizer(() =>
          TReentrantLock.withWriteLock(
            Effect.map(held(lock), (it) => {
              inside = it
            }),
            lock
          )
        )
      ))
      return [inside, yield* held(lock)]
    }),
  [[0, 2], [0, 0]]
)

same(
  "permits of a semaphore are given back in whole",
  ({ scoped }) =>
    Effect.gen(function*() {
      const semaphore = yield* STM.commit(TSemaphore.make(3))
      const during = yield* scoped(Effect.andThen(
        Effect.zip(TSemaphore.withPermitScoped(semaphore), TSemaphore.withPermitsScoped(semaphore, 2)),
        STM.commit(TSemaphore.available(semaphore))
      ))
      return [during, yield* STM.commit(TSemaphore.available(semaphore))]
    }),
  [0, 3]
)

same(
  "an interruption at any point leaves no lock behind",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lock = yield* TReentrantLock.make
      const left: Array<number> = []
      for (let after = 0; after < 40; after++) {
        const fiber = yield* Effect.fork(scoped(Effect.andThen(
          readLock(lock),
          Effect.andThen(Effect.yieldNow(), Effect.andThen(scoped(writeLock(lock)), Effect.yieldNow()))
        )))
        yield* Effect.repeatN(Effect.yieldNow(), after)
        yield* Fiber.interrupt(fiber)
        if ((yield* held(lock)).some((count) => count > 0)) left.push(after)
      }
      return left
    }),
  []
)
