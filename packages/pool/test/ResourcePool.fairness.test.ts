/** Nobody is overtaken by somebody of the same urgency who came later, whatever happens to either of them. */
import { VirtualClock } from "@patinox/vitest"
import { Deferred, Effect, Fiber, Scope } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { ResourcePool } from "../src/index.js"
import { quietly } from "./kit.js"

const priorities = ["Low", "Normal", "High"] as const

type Step =
  | { readonly _tag: "Borrow"; readonly band: number }
  | { readonly _tag: "Return" | "Interrupt"; readonly which: number }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "Suspend" | "Resume" | "Evict" }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(0, 1, 1, 1, 2).map((band): Step => ({ _tag: "Borrow", band })) },
  { weight: 6, arbitrary: fc.nat(50).map((which): Step => ({ _tag: "Return", which })) },
  { weight: 2, arbitrary: fc.nat(50).map((which): Step => ({ _tag: "Interrupt", which })) },
  { weight: 3, arbitrary: fc.constantFrom(1, 5, 20).map((millis): Step => ({ _tag: "Advance", millis })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Step>({ _tag: "Suspend" }, { _tag: "Resume" }, { _tag: "Resume" }, { _tag: "Evict" })
  }
)

interface Borrower {
  readonly number: number
  readonly band: number
  readonly gate: Deferred.Deferred<void>
  fiber: Fiber.RuntimeFiber<unknown, unknown> | undefined
  stage: "asking" | "using" | "over"
}

const settle = Effect.repeatN(Effect.yieldNow(), 40)
const met = { served: 0, waited: 0, unfit: 0 }

const run = (steps: ReadonlyArray<Step>, verdicts: ReadonlyArray<boolean>) => {
  const { clock, pass } = VirtualClock.make()
  const borrowers: Array<Borrower> = []
  /** Who began to use an item since the last rest. */
  let began: Array<Borrower> = []
  let checks = 0
  const validate = Effect.suspend(() => {
    const isFit = verdicts[checks++ % verdicts.length]!
    if (!isFit) met.unfit++
    return Effect.as(Effect.sleep(checks % 3), isFit)
  })
  const borrow = (pool: ResourcePool.ResourcePool<number, unknown>, band: number) =>
    Effect.gen(function*() {
      const borrower: Borrower = {
        number: borrowers.length,
        band,
        gate: yield* Deferred.make<void>(),
        fiber: undefined,
        stage: "asking"
      }
      borrowers.push(borrower)
      const using = pool.use(() => {
        borrower.stage = "using"
        began.push(borrower)
        return Deferred.await(borrower.gate)
      }, { priority: priorities[band]!, acquireTimeout: 1_000 })
      const ended = Effect.ensuring(
        using,
        Effect.sync(() => {
          borrower.stage = "over"
        })
      )
      borrower.fiber = yield* Effect.forkDaemon(Effect.exit(ended))
    })
  /** At rest, who still asks was overtaken by whoever came later and was served, however many items were unfit. */
  const check = () => {
    for (const borrower of began) {
      met.served++
      for (const earlier of borrowers) {
        if (earlier.number >= borrower.number || earlier.band !== borrower.band || earlier.stage !== "asking") continue
        throw new Error(`${borrower.number} has overtaken ${earlier.number}`)
      }
    }
    met.waited += borrowers.filter(({ stage }) => stage === "asking").length
    began = []
  }
  const program = Effect.gen(function*() {
    let number = 0
    const create = Effect.andThen(Effect.sleep(2), Effect.sync(() => ++number))
    const pool = yield* ResourcePool.make(create, { maxSize: 3, validate: () => validate, validateAfter: 1 })
    for (const step of steps) {
      switch (step._tag) {
        case "Borrow":
          yield* borrow(pool, step.band)
          break
        case "Return": {
          const users = borrowers.filter(({ stage }) => stage === "using")
          const user = users[step.which % Math.max(1, users.length)]
          if (user !== undefined) yield* Deferred.succeed(user.gate, undefined)
          break
        }
        case "Interrupt": {
          const left = borrowers.filter(({ stage }) => stage !== "over")
          const one = left[step.which % Math.max(1, left.length)]
          if (one !== undefined) yield* Fiber.interruptFork(one.fiber!)
          break
        }
        case "Advance":
          // What happens at one instant is looked at before the next.
          for (let i = 0; i < step.millis; i++) {
            yield* pass(1, settle)
            check()
          }
          break
        case "Suspend":
          yield* pool.suspend
          break
        case "Resume":
          yield* pool.resume
          break
        case "Evict":
          yield* pool.evictIdle
      }
      yield* settle
      check()
    }
    yield* pool.resume
    for (const { gate } of borrowers) yield* Deferred.succeed(gate, undefined)
    yield* pass(1_000, settle)
    yield* settle
    check()
    expect(borrowers.filter(({ stage }) => stage !== "over")).toEqual([])
  })
  const closed = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const exit = yield* Effect.exit(Scope.extend(program, scope))
    const closing = yield* Effect.fork(Scope.close(scope, exit))
    yield* pass(60_000, settle)
    yield* Fiber.join(closing)
    return yield* exit
  })
  return Effect.runPromise(Effect.withClock(Effect.provide(closed, quietly), clock))
}

it("nobody is overtaken, whose item ever is found unfit", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60 }),
      fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
      run
    ),
    { numRuns: 600, seed: Number(process.env["PATINOX_SEED"] ?? 20_240) }
  )
  console.log(met)
  expect(met.served).toBeGreaterThan(1_000)
  expect(met.waited).toBeGreaterThan(1_000)
  expect(met.unfit).toBeGreaterThan(50)
})

it("a borrower whose item is unfit keeps its turn, before those that wait", () => {
  const { clock, pass } = VirtualClock.make()
  const order: Array<string> = []
  const program = Effect.gen(function*() {
    let number = 0
    let isFit = true
    const pool = yield* ResourcePool.make(Effect.sync(() => ++number), {
      maxSize: 1,
      validate: () => Effect.sync(() => isFit),
      validateAfter: 10
    })
    const borrow = (name: string) =>
      Effect.zipLeft(
        Effect.forkDaemon(pool.use(() => Effect.andThen(Effect.sync(() => order.push(name)), Effect.sleep(5)))),
        settle
      )
    yield* borrow("warm")
    yield* pass(20, settle)
    yield* pool.suspend
    for (const name of ["first", "second", "third"]) yield* borrow(name)
    isFit = false
    yield* pool.resume
    yield* pass(50, settle)
    expect(order).toEqual(["warm", "first", "second", "third"])
    expect(number).toBe(2)
  })
  return Effect.runPromise(Effect.withClock(Effect.provide(Effect.scoped(program), quietly), clock))
})
