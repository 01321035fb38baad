import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Random, Schedule } from "effect"
import { ProgramRunner, Untellable } from "../src/index.js"

const kinds: ReadonlyArray<
  readonly [string, ProgramRunner.Outcome<unknown, unknown>["_tag"], Effect.Effect<unknown, unknown>]
> = [
  ["that succeeds", "Ended", Effect.succeed("done")],
  ["that fails", "Ended", Effect.fail("mine")],
  ["that waits for nobody", "Stuck", Effect.flatMap(Deferred.make<void>(), Deferred.await)],
  ["that cannot be interrupted and waits for nobody", "Stuck", Effect.uninterruptible(Effect.never)],
  ["that sleeps while nobody moves the clock", "Stuck", Effect.sleep("1 millis")],
  ["that yields for ever", "Endless", Effect.forever(Effect.yieldNow())],
  ["that works for ever", "Endless", Effect.forever(Effect.void)],
  ["that leaves behind what yields for ever", "Endless", Effect.forkDaemon(Effect.forever(Effect.yieldNow()))],
  [
    "whose fiber throws what Effect cannot look at",
    "Crashed",
    Effect.andThen(
      Effect.yieldNow(),
      Effect.sync(() => {
        throw Untellable.proxy()
      })
    )
  ]
]

describe("ProgramRunner.run", () => {
  it.each(kinds)("an effect %s is %s", (_, tag, effect) => {
    const outcome = ProgramRunner.run(() => effect, { maxTurns: 1_000 })
    expect(outcome._tag).toBe(tag)
    expect(outcome.turns).toBeLessThanOrEqual(1_000)
    expect(ProgramRunner.failureOf(outcome) === undefined).toBe(tag === "Ended" && effect !== kinds[1]![2])
  })

  it("ProgramRunner settles once nothing else is ready, forked fibers included", () => {
    const outcome = ProgramRunner.run(({ settle }) =>
      Effect.gen(function*() {
        const seen: Array<number> = []
        const deeper = (n: number): Effect.Effect<void> =>
          n === 0 ? Effect.void : Effect.suspend(() => {
            seen.push(n)
            return Effect.asVoid(Effect.andThen(Effect.yieldNow(), Effect.forkDaemon(deeper(n - 1))))
          })
        yield* Effect.forkDaemon(deeper(500))
        yield* settle
        return seen.length
      })
    )
    expect(outcome).toMatchObject({ _tag: "Ended", exit: Exit.succeed(500) })
  })

  it("two settling fibers go on one after the other, the second once the first is idle", () => {
    const order: Array<string> = []
    const outcome = ProgramRunner.run(({ settle }) =>
      Effect.gen(function*() {
        const write = (text: string) => Effect.sync(() => void order.push(text))
        const one = (name: string) =>
          Effect.all([settle, write(`${name} 1`), Effect.yieldNow(), write(`${name} 2`)], { discard: true })
        yield* Fiber.joinAll(yield* Effect.all([Effect.fork(one("a")), Effect.fork(one("b"))]))
      })
    )
    expect(outcome._tag).toBe("Ended")
    expect(order).toEqual(["a 1", "a 2", "b 1", "b 2"])
  })

  it("a day of sleeps in ProgramRunner takes no real time, and moves the wall clock", () => {
    const outcome = ProgramRunner.run(({ advance, clock }) =>
      Effect.gen(function*() {
        const before = clock.clock.unsafeCurrentTimeMillis()
        const ticks = yield* Effect.forkDaemon(Effect.repeat(Effect.void, Schedule.spaced("1 minutes")))
        yield* advance(86_400_000)
        yield* Fiber.interrupt(ticks)
        return [clock.now(), clock.clock.unsafeCurrentTimeMillis() - before, clock.sleepers()]
      })
    )
    expect(outcome).toMatchObject({ _tag: "Ended", exit: Exit.succeed([86_400_000, 86_400_000, 0]) })
  })

  it("an effect in ProgramRunner takes the same turns and sees the same random numbers, by its seed", () => {
    const program = Effect.replicateEffect(Effect.zipLeft(Random.nextInt, Effect.yieldNow()), 5)
    const of = (seed?: number) => ProgramRunner.run(() => program, seed === undefined ? {} : { seed })
    expect(of()).toEqual(of())
    expect(of(1)).toEqual(of(1))
    expect(of(1)).not.toEqual(of(2))
  })

  it("code that reads the machine's time sees the clock of ProgramRunner, and the machine's afterwards", () => {
    const before = performance.now()
    const stall = Effect.sync(() => {
      for (let n = 0, sum = 0; n < 5_000_000; n++) sum += n
    })
    const outcome = ProgramRunner.run(({ advance }) =>
      Effect.gen(function*() {
        const from = performance.now()
        yield* stall
        yield* Effect.yieldNow()
        const stalled = performance.now() - from
        yield* advance(86_400_000)
        return [stalled, performance.now() - from]
      })
    )
    expect(outcome).toMatchObject({ _tag: "Ended", exit: Exit.succeed([0, 86_400_000]) })
    expect(performance.now() - before).toBeLessThan(86_400_000)
  })

  it("ProgramRunner ends in the call, with no turn of the event loop in between", () => {
    let turned = false
    queueMicrotask(() => {
      turned = true
    })
    const outcome = ProgramRunner.run(({ advance }) =>
      Effect.andThen(Effect.repeatN(Effect.yieldNow(), 5_000), advance(60_000))
    )
    expect([outcome._tag, turned]).toEqual(["Ended", false])
  })
})

describe("ProgramRunner.shrink", () => {
  it("shrink keeps commands that fail together, and does not run a list that is small enough", () => {
    const commands = Array.from({ length: 40 }, (_, n) => n)
    const fails = (of: ReadonlyArray<number>) => [3, 17, 38].every((n) => of.includes(n))
    expect(ProgramRunner.shrink(commands, fails)).toEqual([3, 17, 38])
    expect(ProgramRunner.shrink([], () => true)).toEqual([])
  })
})
