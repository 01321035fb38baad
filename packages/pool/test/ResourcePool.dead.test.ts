/** Dead items, hung connects and open circuits: how soon borrowers are served, with every default. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Clock, Effect, Exit, Fiber, Option } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope, turns } from "./kit.js"

/** How long an effect takes, to within a step, where time is moved for it. */
const timed = <A, E>(effect: Effect.Effect<A, E>, stepMillis = 10) =>
  Effect.gen(function*() {
    const since = yield* Clock.currentTimeMillis
    const fiber = yield* Effect.fork(effect)
    yield* turns
    while (Option.isNone(yield* Fiber.poll(fiber)) && (yield* Clock.currentTimeMillis) < since + 60_000) {
      yield* TestClock.adjust(stepMillis)
      yield* turns
    }
    const millis = (yield* Clock.currentTimeMillis) - since
    return { exit: yield* Effect.exit(Fiber.join(fiber)), millis }
  })

/** Ten idle items, of which some are dead: they fail their validation at once, or it hangs. */
const withDead = (
  validate: Effect.Effect<unknown, unknown>,
  isDead: (number: number) => boolean,
  options: { readonly maxSize?: number; readonly connectMillis?: number } = {}
) =>
  Effect.gen(function*() {
    let made = 0
    let isLater = false
    const validated: Array<number> = []
    const create = Effect.suspend(() =>
      Effect.delay(Effect.sync(() => ++made), isLater ? options.connectMillis ?? 100 : 0)
    )
    const pool = yield* ResourcePool.make(create, {
      maxSize: options.maxSize ?? 10,
      validate: (n) =>
        Effect.suspend(() => {
          validated.push(n)
          return n <= 10 && isDead(n) ? validate : Effect.void
        })
    })
    yield* Effect.scoped(Effect.replicateEffect(pool.get, Math.min(10, options.maxSize ?? 10)))
    isLater = true
    yield* TestClock.adjust("10 seconds")
    return { pool, validated, made: () => made }
  })

describe("dead idle items", () => {
  it.effect("dead idle items whose validations hang hold a borrower up for a moment, and not for each of them, in a full pool, too", () =>
    inScope(Effect.gen(function*() {
      const { pool } = yield* withDead(Effect.never, () => true)
      for (let i = 0; i < 3; i++) {
        const { exit, millis } = yield* timed(pool.use(Effect.succeed))
        expect(exit).toEqual(Exit.succeed(11))
        expect(millis).toBeLessThanOrEqual(400)
      }
    })))

  it.effect("dead idle items that fail their validations are not all walked over: one is created beside", () =>
    inScope(Effect.gen(function*() {
      const { pool, validated } = yield* withDead(Effect.delay(Effect.fail("gone"), 60), () => true)
      const { exit, millis } = yield* timed(pool.use(Effect.succeed))
      expect(exit).toEqual(Exit.succeed(11))
      expect(millis).toBeLessThanOrEqual(200)
      expect(validated.length).toBeLessThanOrEqual(4)
    })))

  it.effect("dead idle items of which one is dead cost the borrower that meets it a moment, though connecting is slow", () =>
    inScope(Effect.gen(function*() {
      // The one that was used last is asked first.
      const first = yield* withDead(Effect.never, (n) => n === 1, { connectMillis: 5_000 })
      const hanging = yield* timed(first.pool.use(Effect.succeed))
      expect([Exit.isSuccess(hanging.exit), hanging.millis]).toEqual([true, 250])
      const second = yield* withDead(Effect.fail("gone"), (n) => n === 1, { connectMillis: 5_000 })
      const failing = yield* timed(second.pool.use(Effect.succeed))
      expect([Exit.isSuccess(failing.exit), failing.millis]).toEqual([true, 0])
    })))

  it.effect("dead idle items are not validated, nor is another created, beside a validation that answers in time", () =>
    inScope(Effect.gen(function*() {
      const { made, pool, validated } = yield* withDead(Effect.sleep("200 millis"), () => true)
      yield* timed(pool.use(() => Effect.void))
      expect([validated.length, made()]).toEqual([1, 10])
    })))
})

describe("connects that hang", () => {
  for (const createConcurrency of [2, undefined]) {
    it.effect(`do not take everybody down: two of a burst of 100, with createConcurrency ${createConcurrency}`, () =>
      inScope(Effect.gen(function*() {
        let calls = 0
        const create = Effect.suspend(() => ++calls <= 2 ? Effect.never : Effect.succeed(calls))
        const pool = yield* ResourcePool.make(create, createConcurrency === undefined ? {} : { createConcurrency })
        const burst = Effect.forEach(
          Array.from({ length: 100 }),
          () => Effect.exit(pool.use(() => Effect.sleep("1 millis"))),
          { concurrency: "unbounded" }
        )
        const { exit, millis } = yield* timed(burst, 50)
        expect(Exit.isSuccess(exit) && exit.value.every(Exit.isSuccess)).toBe(true)
        expect(millis).toBeLessThanOrEqual(createConcurrency === undefined ? 100 : 2_200)
      })))
  }

  it.effect("connects that hang for one borrower end before its deadline, so that it has another attempt", () =>
    inScope(Effect.gen(function*() {
      let calls = 0
      const create = Effect.suspend(() => ++calls === 1 ? Effect.never : Effect.succeed("connection"))
      const pool = yield* ResourcePool.make(create)
      const { exit, millis } = yield* timed(pool.use(Effect.succeed), 500)
      expect(exit).toEqual(Exit.succeed("connection"))
      expect(millis).toBeLessThanOrEqual(10_500)
    })))

  it.effect("connects that hang are not tried in place of one another beyond maxSize", () =>
    inScope(Effect.gen(function*() {
      let calls = 0
      const create = Effect.suspend(() => ++calls <= 50 ? Effect.never : Effect.void)
      const pool = yield* ResourcePool.make(create, { maxSize: 4, createConcurrency: 1 })
      yield* Effect.fork(Effect.forEach(Array.from({ length: 9 }), () => Effect.exit(pool.use(() => Effect.void)), {
        concurrency: "unbounded"
      }))
      yield* turns
      yield* TestClock.adjust("9 seconds")
      yield* turns
      expect([calls, (yield* pool.snapshot).total]).toEqual([4, 4])
    })))
})

describe("an open circuit", () => {
  it.effect("an open circuit whose pause is over has everybody wait for one probe, however long ago the news was", () =>
    inScope(Effect.gen(function*() {
      let isDown = true
      let calls = 0
      const create = Effect.suspend(() => {
        calls++
        return Effect.delay(isDown ? Effect.fail("refused") : Effect.succeed("connection"), 20)
      })
      const pool = yield* ResourcePool.make(create)
      yield* timed(Effect.flip(pool.use(() => Effect.void)), 100)
      expect((yield* pool.snapshot).isFailingFast).toBe(true)
      // Within the pause it is told at once.
      expect((yield* timed(Effect.flip(pool.use(() => Effect.void)))).millis).toBe(0)
      isDown = false
      yield* TestClock.adjust("6 hours")
      calls = 0
      const burst = Effect.forEach(Array.from({ length: 50 }), () => Effect.exit(pool.use(() => Effect.void)), {
        concurrency: "unbounded"
      })
      const fiber = yield* Effect.fork(burst)
      yield* turns
      expect(calls).toBe(1)
      yield* TestClock.adjust("1 seconds")
      expect((yield* Fiber.join(fiber)).every(Exit.isSuccess)).toBe(true)
    })))

  it.effect("an open circuit whose probe fails tells all that waited for it", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.delay(Effect.fail("refused"), 20), { failFastAfter: 1 })
      yield* timed(Effect.flip(pool.use(() => Effect.void)))
      yield* TestClock.adjust("1 hours")
      const burst = Effect.forEach(Array.from({ length: 5 }), () => Effect.flip(pool.use(() => Effect.void)), {
        concurrency: "unbounded"
      })
      const { exit, millis } = yield* timed(burst)
      expect(Exit.isSuccess(exit) && exit.value.map(({ _tag }) => _tag)).toEqual(
        Array.from({ length: 5 }, () => "PoolCreationFailed")
      )
      expect(millis).toBe(20)
    })))
})

describe("an item that is never fit", () => {
  it.effect("an item that is never fit is created less and less often, and its borrowers are told", () =>
    inScope(Effect.gen(function*() {
      let calls = 0
      const pool = yield* ResourcePool.make(Effect.sync(() => ++calls), {
        validateAfter: 0,
        validate: () => Effect.succeed(false)
      })
      const { exit } = yield* timed(Effect.flip(pool.use(() => Effect.void)), 100)
      expect(exit).toMatchObject({ value: { _tag: "PoolCreationFailed", failures: 10 } })
      expect(calls).toBe(10)
      const error: any = Exit.isSuccess(exit) ? exit.value : undefined
      expect(error.message).toBe(
        "Pool pool cannot create items (10 failures in a row): PoolItemUnfit: Pool pool: a new item was unfit: validate answered with false"
      )
    })))
})

describe("a borrower of low priority", () => {
  it.effect("gets through under a load of more urgent ones that never ends", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { maxSize: 2, acquireTimeout: "4 seconds" })
      const busy = Effect.forever(pool.use(() => Effect.sleep("50 millis"), { priority: "Critical" }))
      yield* Effect.forkScoped(Effect.all(Array.from({ length: 6 }, () => busy), { concurrency: "unbounded" }))
      yield* turns
      const { exit, millis } = yield* timed(pool.use(() => Effect.void, { priority: "Low" }), 100)
      expect(Exit.isSuccess(exit)).toBe(true)
      expect(millis).toBeLessThanOrEqual(1_700)
    })))
})

describe("keeping alive", () => {
  it.effect("leaves items to lend, also where it hangs, and is in the snapshot", () =>
    inScope(Effect.gen(function*() {
      let isHung = true
      const pool = yield* ResourcePool.make(Effect.void, {
        minSize: 20,
        maxSize: 20,
        keepAlive: () => isHung ? Effect.never : Effect.void
      })
      yield* pool.awaitReady
      yield* TestClock.adjust("2 minutes")
      yield* turns
      expect(yield* pool.snapshot).toMatchObject({ idle: 15, inUse: 5, checking: 5, holders: [] })
      expect(yield* pool.tryUse(() => Effect.succeed("lent"))).toBe("lent")
      isHung = false
      yield* TestClock.adjust("10 seconds")
    })))
})
