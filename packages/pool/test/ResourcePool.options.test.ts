/** Shows `makePool` and `PoolContext`. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Option } from "effect"
import { ResourcePool } from "../src/index.js"
import { inScope } from "./kit.js"

const made = (options: Record<string, unknown>) => {
  let created = 0
  return Effect.map(
    inScope(Effect.exit(ResourcePool.make(Effect.sync(() => ++created), { minSize: 1, ...options }))),
    (exit) => ({ exit, created })
  )
}

const message = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isFailure(exit) ? String((Cause.squash(exit.cause) as Error).message) : "no error"

const duration = "a duration above 0, or Duration.infinity"
const durations = [
  "acquireTimeout",
  "slowBorrowAfter",
  "createTimeout",
  "destroyTimeout",
  "validateTimeout",
  "recycleTimeout",
  "keepAliveTimeout",
  "validateAfter",
  "keepAliveInterval",
  "idleTimeout",
  "maxLifetime",
  "backoffFrom",
  "backoffTo",
  "leaseTimeout",
  "leakThreshold",
  "drainTimeout"
]

const bad: ReadonlyArray<readonly [option: string, value: unknown, got: string, expected: string]> = [
  ["name", "", "\"\"", "a text that is not empty"],
  ["name", 1, "1", "a text that is not empty"],
  ["minSize", -1, "-1", "an integer from 0 to 100000"],
  ["minSize", 1.5, "1.5", "an integer from 0 to 100000"],
  ["minSize", 11, "11", "an integer from 0 to the maxSize of 10"],
  ["maxSize", 0, "0", "an integer from 1 to 100000"],
  ["maxSize", 100_001, "100001", "an integer from 1 to 100000"],
  ["maxWaiters", -1, "-1", "an integer from 0, or Infinity"],
  ["maxWaiters", Number.NaN, "NaN", "an integer from 0, or Infinity"],
  ["lifetimeJitter", 1.1, "1.1", "a number from 0 to 1"],
  ["lifetimeJitter", "much", "\"much\"", "a number from 0 to 1"],
  ["maxUses", 0, "0", "an integer from 1, or Infinity"],
  ["createConcurrency", 0, "0", "an integer from 1 to 100000"],
  ["failFastAfter", 0, "0", "an integer from 1, or Infinity"],
  ["failFastAfter", 1.5, "1.5", "an integer from 1, or Infinity"],
  ["onLeaseTimeout", "kill", "\"kill\"", "one of report, reclaim"],
  ["captureStacks", "some", "\"some\"", "one of off, sampled, all"],
  ["priority", "Urgent", "\"Urgent\"", "one of Low, Normal, High, Critical"],
  ["drainWaiters", "drop", "\"drop\"", "one of fail, serve"],
  ...durations.flatMap((option) => {
    const expected = option === "validateAfter" ? "a duration from 0, or Duration.infinity" : duration
    return [
      [option, -1, "-1", expected],
      [option, Number.NaN, "NaN", expected],
      [option, "-1 seconds", "\"-1 seconds\"", expected],
      [option, "soon", "\"soon\"", expected]
    ] as const
  })
]

describe("an option that is wrong", () => {
  for (const validateAfter of [0, "0 seconds", Duration.zero] as const) {
    it.effect(`a validateAfter of nothing is no wrong option: ${String(validateAfter)} is always`, () =>
      inScope(Effect.gen(function*() {
        let validated = 0
        const validate = () => Effect.sync(() => validated++)
        const pool = yield* ResourcePool.make(Effect.void, { validateAfter, validate })
        yield* pool.use(() => Effect.void)
        yield* pool.use(() => Effect.void)
        expect(validated).toBe(2)
      })))
  }

  for (const [option, value, got, expected] of bad) {
    it.effect(`${option}: ${got} is named with its range, before anything is created`, () =>
      Effect.gen(function*() {
        const { created, exit } = yield* made({ [option]: value })
        expect(Exit.isFailure(exit) && Option.getOrThrow(Cause.failureOption(exit.cause))).toMatchObject({
          _tag: "Validation"
        })
        expect(message(exit)).toBe(`Invalid option "${option}": got ${got}, expected ${expected}`)
        expect(created).toBe(0)
      }))
  }

  it.effect("an option that is wrong of keyed pools: keyIdleTimeout, and all of a pool's", () =>
    inScope(Effect.gen(function*() {
      const wrong = (options: ResourcePool.KeyedOptions<unknown>) =>
        Effect.map(Effect.exit(ResourcePool.keyed(() => Effect.void, options)), message)
      expect(yield* wrong({ keyIdleTimeout: 0 })).toBe(
        `Invalid option "keyIdleTimeout": got 0, expected ${duration}`
      )
      expect(yield* wrong({ maxSize: 0 })).toBe(
        "Invalid option \"maxSize\": got 0, expected an integer from 1 to 100000"
      )
    })))

  it.effect("an option that is wrong of a borrow is a defect, whether an item is idle or not, and nothing is borrowed", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { minSize: 1 })
      const options: ReadonlyArray<any> = [{ acquireTimeout: 0 }, { priority: "Urgent" }]
      for (const idle of [true, false]) {
        if (idle) yield* pool.awaitReady
        else yield* Effect.andThen(pool.resize({ minSize: 0 }), pool.evictIdle)
        for (const option of options) {
          const exits: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
            yield* Effect.exit(pool.use(() => Effect.void, option)),
            yield* Effect.exit(Effect.scoped(pool.lease(option)))
          ]
          for (const exit of exits) {
            expect(Exit.isFailure(exit) && Cause.failureOption(exit.cause)).toEqual(Option.none())
            expect(message(exit)).toMatch(/^Invalid option "(acquireTimeout|priority)": got /)
          }
        }
      }
      expect(yield* pool.snapshot).toMatchObject({ inUse: 0, waiting: 0 })
    })))

  it.effect("an option that is wrong of a drain is a defect, and nothing is drained", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void)
      expect(message(yield* Effect.exit(pool.drain({ timeout: -5 })))).toBe(
        `Invalid option "timeout": got -5, expected ${duration}`
      )
      expect(message(yield* Effect.exit(pool.drain({ waiters: "drop" as never })))).toBe(
        "Invalid option \"waiters\": got \"drop\", expected one of fail, serve"
      )
      expect((yield* pool.snapshot).state).toBe("open")
    })))

  it.effect("an option that is wrong of a resize is a typed failure, and changes nothing", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.void, { minSize: 2, maxSize: 4 })
      const wrong = (sizes: { readonly minSize?: number; readonly maxSize?: number }) =>
        Effect.map(Effect.flip(pool.resize(sizes)), (error) => error.message)
      expect(yield* wrong({ maxSize: 0 })).toBe(
        "Invalid option \"maxSize\": got 0, expected an integer from 1 to 100000"
      )
      expect(yield* wrong({ maxSize: 1 })).toBe(
        "Invalid option \"maxSize\": got 1, expected an integer from the minSize of 2 to 100000"
      )
      expect(yield* wrong({ minSize: 5 })).toBe(
        "Invalid option \"minSize\": got 5, expected an integer from 0 to the maxSize of 4"
      )
      expect(yield* pool.snapshot).toMatchObject({ minSize: 2, maxSize: 4 })
      yield* pool.resize({ minSize: 0, maxSize: 1 })
      expect(yield* pool.snapshot).toMatchObject({ minSize: 0, maxSize: 1 })
    })))
})

describe("options at their ends", () => {
  it.effect("options at their ends are taken: everything endless, and the least of each", () =>
    Effect.gen(function*() {
      const endless = Object.fromEntries(durations.map((option) => [option, Infinity]))
      const most = { ...endless, maxWaiters: Infinity, maxUses: Infinity, failFastAfter: Infinity, lifetimeJitter: 1 }
      const least = {
        ...Object.fromEntries(durations.map((option) => [option, 1])),
        minSize: 0,
        maxSize: 1,
        maxWaiters: 0,
        maxUses: 1,
        failFastAfter: 1,
        lifetimeJitter: 0,
        createConcurrency: 1
      }
      expect(Exit.isSuccess((yield* made(most)).exit)).toBe(true)
      expect(Exit.isSuccess((yield* made(least)).exit)).toBe(true)
      expect(Exit.isSuccess((yield* made({ leaseTimeout: "off", leakThreshold: "off" })).exit)).toBe(true)
    }))

  it.effect("a pool without a name is called pool, and one in a layer by its Tag", () =>
    inScope(Effect.gen(function*() {
      expect((yield* ResourcePool.make(Effect.void)).name).toBe("pool")
      expect((yield* ResourcePool.make(Effect.void, { name: "db" })).name).toBe("db")
      expect((yield* ResourcePool.keyed(() => Effect.void)).name).toBe("pool")
    })))
})
