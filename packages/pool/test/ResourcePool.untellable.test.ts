import { describe, expect, it } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Effect, Equal, Exit, Fiber, Hash, Layer, Logger, Random } from "effect"
import { ResourcePool } from "../src/index.js"
import { atRest, inScope, listen, turns } from "./kit.js"

const throwing = (): never => {
  throw new Error("this cannot be looked at")
}

class ThrowingMessage extends Error {
  override get message(): string {
    return throwing()
  }
}

/** Errors, each of which throws somewhere where it is looked at. */
const untellable: Record<string, () => unknown> = {
  "an error whose message throws": () => new ThrowingMessage(),
  "an object whose toString throws": () => ({ toString: throwing }),
  "an object whose toJSON throws": () => ({ toJSON: throwing }),
  "an object whose conversion throws": () => ({ [Symbol.toPrimitive]: throwing }),
  "an object without any prototype": () => Object.create(null),
  "a symbol": () => Symbol("secret"),
  "an object whose Hash and Equal throw": () => ({ [Hash.symbol]: throwing, [Equal.symbol]: throwing }),
  "a proxy that throws": () =>
    new Proxy({}, { get: throwing, has: () => false, ownKeys: throwing, getPrototypeOf: throwing }),
  "a revoked name": () => Object.defineProperty(new Error("x"), "name", { get: throwing })
}

describe("with untellable errors and items", () => {
  for (const [name, make] of Object.entries(untellable)) {
    it.effect(`a creation that fails with ${name} is tried again, and told`, () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        const create = Effect.suspend(() => ++calls <= 2 ? Effect.fail(make()) : Effect.succeed(calls))
        const pool = yield* ResourcePool.make(create, { maxSize: 1, failFastAfter: Infinity })
        const events = yield* listen(pool)
        const borrower = yield* Effect.fork(pool.use(Effect.succeed))
        for (let i = 0; i < 5; i++) {
          yield* turns
          yield* TestClock.adjust("20 millis")
        }
        expect(yield* Fiber.join(borrower)).toBe(3)
        expect(events.map(({ _tag }) => _tag)).toEqual(["CreationFailed", "CreationFailed", "Created"])
        expect(yield* atRest(pool)).toBe(1)
      })))

    it.effect(`what a creation has opened before it fails with ${name} is released`, () =>
      inScope(Effect.gen(function*() {
        let open = 0
        let calls = 0
        const create = Effect.gen(function*() {
          yield* Effect.acquireRelease(Effect.sync(() => ++open), () => Effect.sync(() => open--))
          return ++calls <= 2 ? yield* Effect.fail(make()) : calls
        })
        const pool = yield* ResourcePool.make(create, { maxSize: 1, failFastAfter: Infinity })
        const borrower = yield* Effect.fork(pool.use(Effect.succeed))
        for (let i = 0; i < 5; i++) {
          yield* turns
          yield* TestClock.adjust("20 millis")
        }
        expect(yield* Fiber.join(borrower)).toBe(3)
        expect(open).toBe(1)
      })))

    for (const operation of ["validate", "recycle", "keepAlive", "destroy"] as const) {
      it.effect(`${operation} that fails with ${name} costs that item only`, () =>
        inScope(Effect.gen(function*() {
          let isBroken = true
          const broken = () => Effect.suspend(() => isBroken ? Effect.fail(make()) : Effect.void)
          const pool = yield* ResourcePool.make(Effect.sync(() => ({})), {
            maxSize: 1,
            keepAliveInterval: "10 seconds",
            [operation]: broken
          })
          yield* pool.use(() => Effect.void)
          yield* TestClock.adjust("11 seconds")
          yield* turns
          if (operation === "destroy") yield* pool.evictIdle
          yield* turns
          isBroken = false
          const served = yield* Effect.fork(pool.use(() => Effect.succeed("served")))
          yield* turns
          yield* TestClock.adjust("1 seconds")
          expect(yield* Fiber.join(served)).toBe("served")
          expect(yield* atRest(pool)).toBe(1)
        })))
    }

    it.effect(`refusals because of ${name} have a text`, () =>
      inScope(Effect.gen(function*() {
        const pool = yield* ResourcePool.make(Effect.fail(make()), { name: "db", failFastAfter: 1 })
        const error = yield* Effect.flip(pool.use(() => Effect.void))
        expect(error._tag).toBe("PoolCreationFailed")
        expect(error.message).toContain("Pool db cannot create items (1 failure in a row): ")
      })))
  }

  it.effect("a key whose text throws names its pool all the same, and goes when it is idle", () =>
    inScope(Effect.gen(function*() {
      const pools = yield* ResourcePool.keyed((_: object) => Effect.succeed("item"), { keyIdleTimeout: "1 seconds" })
      for (const key of [{ toJSON: throwing, toString: throwing }, Object.create(null)]) {
        expect(yield* pools.use(key, Effect.succeed)).toBe("item")
      }
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(yield* pools.keys).toEqual([])
    })))

  it.effect("a key that is changed after its use costs nobody anything", () =>
    inScope(Effect.gen(function*() {
      class Key {
        isBroken = false
        constructor(public name: string) {}
        [Hash.symbol](): number {
          return this.isBroken ? throwing() : Hash.string(this.name)
        }
        [Equal.symbol](that: Key): boolean {
          return this.isBroken ? throwing() : this.name === that.name
        }
      }
      const pools = yield* ResourcePool.keyed((key: Key) => Effect.succeed(key.name), { keyIdleTimeout: "1 seconds" })
      const changed = new Key("a")
      yield* pools.use(changed, Effect.succeed)
      changed.name = "b"
      expect(yield* pools.use(new Key("a"), Effect.succeed)).toBe("a")
      changed.isBroken = true
      const exit = yield* Effect.exit(pools.use(changed, Effect.succeed))
      expect(Exit.isFailure(exit)).toBe(true)
      yield* TestClock.adjust("2 seconds")
      yield* turns
      expect(yield* pools.keys).toEqual([])
      expect(yield* pools.use(new Key("a"), Effect.succeed)).toBe("a")
    })))

  it.effect("a random service that throws, or has no number, costs no place", () =>
    inScope(Effect.gen(function*() {
      for (const next of [Effect.die("no random"), Effect.succeed(NaN), Effect.succeed(7)]) {
        const random = { ...Random.make("seed"), next }
        let calls = 0
        const create = Effect.suspend(() => ++calls === 1 ? Effect.fail("down") : Effect.succeed(calls))
        const pool = yield* Effect.withRandom(ResourcePool.make(create, { maxSize: 1 }), random as never)
        const borrower = yield* Effect.fork(pool.use(Effect.succeed))
        yield* turns
        yield* TestClock.adjust("20 millis")
        expect(yield* Fiber.join(borrower)).toBe(2)
      }
    })))

  it.effect("a logger that throws costs nobody anything", () => {
    const logger = Logger.replace(Logger.defaultLogger, Logger.make(throwing))
    const program = Effect.gen(function*() {
      let calls = 0
      const create = Effect.suspend(() => ++calls === 1 ? Effect.fail("down") : Effect.succeed(calls))
      const pool = yield* ResourcePool.make(create, {
        maxSize: 1,
        slowBorrowAfter: "5 millis",
        recycle: () => Effect.fail("no")
      })
      const borrower = yield* Effect.fork(pool.use(Effect.succeed))
      yield* turns
      yield* TestClock.adjust("20 millis")
      expect(yield* Fiber.join(borrower)).toBe(2)
      expect(yield* atRest(pool)).toBe(0)
    })
    return Effect.provide(Effect.scoped(program), Layer.provideMerge(ResourceRegistry.layer, logger))
  })
})
