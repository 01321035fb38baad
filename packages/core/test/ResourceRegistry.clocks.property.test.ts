/**
 * Clocks of other people: infinite, missing, going back, jumping, standing still, throwing, not waiting, not able to wait.
 * Whatever one says, and from whichever moment on, no cleanup is lost, nothing hangs, and what is read is a number.
 */
import { Clock, Duration, Effect, Exit, Fiber, Layer, Logger, Scope, TestClock, TestContext, Tracer } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { ResourceGuard, ResourceRegistry, ResourceRuntime, ResourceScope } from "../src/index.js"
import * as Clocks from "../src/internal/effect3/Clocks.js"
import * as Fibers from "../src/internal/effect3/Fibers.js"
import * as Refs from "../src/internal/effect3/Refs.js"
import * as DeadlineHeap from "../src/internal/kernel/DeadlineHeap.js"
import { Timers } from "../src/internal/kernel/Timers.js"

const seed = Number(process.env["PATINOX_SEED"] ?? 20_241)

/** What a clock says in place of the time. */
const readings = {
  "infinity": () => Infinity,
  "minus infinity": () => -Infinity,
  "not a number": () => NaN,
  "an hour ago": (now: number) => now - 3_600_000,
  "a year ahead": (now: number) => now + 31_536_000_000,
  "always the same": () => 5,
  "the beginning of time": () => -8e15,
  "more than it can": () => 1e300,
  "a defect": (): number => {
    throw new Error("no time")
  }
}
type Reading = keyof typeof readings

/** How it sleeps. */
const sleeps = {
  "as long as asked": (millis: number) => Clock.make().sleep(Duration.millis(millis)),
  "not at all": () => Effect.void,
  "with a defect": () => Effect.die("no sleep"),
  "with an exception": (): Effect.Effect<void> => {
    throw new Error("no sleep")
  }
}
type Sleep = keyof typeof sleeps

interface Plan {
  readonly readings: ReadonlyArray<Reading>
  readonly sleep: Sleep
}

const plan: fc.Arbitrary<Plan> = fc.record({
  readings: fc.array(fc.constantFrom(...Object.keys(readings) as Array<Reading>), { minLength: 1, maxLength: 6 }),
  sleep: fc.constantFrom(...Object.keys(sleeps) as Array<Sleep>)
})

/** A clock that is right until it is told to go wrong, and from then on says one thing after the other. */
const clockOf = ({ readings: says, sleep }: Plan) => {
  let wrong = false
  let count = 0
  const read = () => {
    const now = Date.now()
    return wrong ? readings[says[count++ % says.length]!](now) : now
  }
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: read,
    unsafeCurrentTimeNanos: () => BigInt(Math.round(read() * 1e6)),
    currentTimeMillis: Effect.sync(read),
    currentTimeNanos: Effect.sync(() => BigInt(Math.round(read() * 1e6))),
    sleep: (duration) => sleeps[wrong ? sleep : "as long as asked"](Duration.toMillis(duration))
  }
  return { clock, goWrong: Effect.sync(() => wrong = true) }
}

/** One that is not Effect's own, so that guards make spans. */
const exporting = Tracer.make({
  span: (...args) => Effect.runSync(Effect.tracer).span(...args),
  context: (f) => f()
})

const quiet = Logger.remove(Logger.defaultLogger)

describe("whatever a clock says and however it sleeps", () => {
  it("everything in a scope, a registry and a runtime is released, and each record is made of numbers", {
    timeout: 60_000
  }, () =>
    fc.assert(
      fc.asyncProperty(plan, fc.boolean(), async (plan, fromTheStart) => {
        const { clock, goWrong } = clockOf(plan)
        const released: Array<string> = []
        const note = (name: string, turns = 0) =>
          Effect.andThen(Effect.repeatN(Effect.yieldNow(), turns), Effect.sync(() => released.push(name)))
        const program = Effect.gen(function*() {
          if (fromTheStart) yield* goWrong
          const scope = yield* ResourceScope.make()
          const runtime = ResourceRuntime.make(Layer.scopedDiscard(Effect.addFinalizer(() => note("runtime"))))
          yield* Effect.promise(() => runtime.runPromise(Effect.void))
          const registry = yield* ResourceRegistry.ResourceRegistry
          yield* Scope.extend(ResourceGuard.make(Effect.void, () => note("guard")), scope)
          yield* Scope.extend(
            Effect.withTracer(ResourceGuard.make(Effect.void, () => note("traced")), exporting),
            scope
          )
          yield* Scope.addFinalizer(scope, note("finalizer"))
          yield* ResourceGuard.make(Effect.void, () => Effect.andThen(note("failing"), Effect.fail("no")), {
            recovery: { strategy: () => "Fail" }
          })
          yield* registry.register(() => note("registered"))
          yield* goWrong
          const scheduled = yield* registry.schedule({ cleanup: note("scheduled") })
          yield* scheduled.await
          const report = yield* ResourceScope.close(scope, Exit.void)
          yield* Effect.promise(() => runtime.dispose())
          const forced = yield* registry.forceCleanupAll
          const snapshot = yield* registry.snapshot
          yield* registry.awaitIdle
          const shutdown = yield* registry.shutdown
          return [report, forced, shutdown, snapshot]
        })
        const told = await Effect.runPromise(
          program.pipe(
            Effect.scoped,
            Effect.provide(ResourceRegistry.layerWith({ leakThreshold: "1 hour" })),
            Effect.withClock(clock),
            Effect.provide(quiet)
          )
        )
        expect(released.sort()).toEqual(
          ["failing", "finalizer", "guard", "registered", "runtime", "scheduled", "traced"]
        )
        // JSON has no word for a time that is none.
        expect(JSON.stringify(told)).not.toMatch(/(at|At|Millis)":null/)
      }),
      { seed, numRuns: 150 }
    ))

  it("time never goes back and is always a number, and a timer comes in its time or a little later", {
    timeout: 60_000
  }, () =>
    fc.assert(
      fc.asyncProperty(plan, fc.array(fc.nat(20), { minLength: 1, maxLength: 5 }), async (plan, delays) => {
        const { clock, goWrong } = clockOf(plan)
        await Effect.runPromise(goWrong)
        const origin = await Effect.runPromise(Fibers.withFiber((fiber) => Effect.succeed(Refs.originOf(fiber))))
        const timers = new Timers(clock, origin)
        let last = timers.now()
        for (let i = 0; i < 50; i++) {
          const now = timers.now()
          expect(Number.isFinite(now)).toBe(true)
          expect(now).toBeGreaterThanOrEqual(last)
          last = now
          expect(Number.isFinite(Clocks.wallMillis(clock))).toBe(true)
        }
        await Promise.all(delays.map((delay) =>
          new Promise<void>((resolve) => timers.set(DeadlineHeap.make(() => resolve()), timers.now() + delay))
        ))
      }),
      { seed, numRuns: 100 }
    ))

  it(
    "a cleanup that hangs is let go when its limit has passed on the machine's own clock",
    { timeout: 60_000 },
    () =>
      fc.assert(
        fc.asyncProperty(plan, async (plan) => {
          const { clock, goWrong } = clockOf(plan)
          const report = await Effect.runPromise(
            Effect.gen(function*() {
              const scope = yield* ResourceScope.make({ finalizerTimeout: 30, timeout: 100 })
              yield* Scope.addFinalizer(scope, Effect.never)
              yield* Scope.extend(ResourceGuard.make(Effect.void, () => Effect.never, { timeout: 30 }), scope)
              yield* goWrong
              return yield* ResourceScope.close(scope, Exit.void)
            }).pipe(Effect.provide(ResourceRegistry.layer), Effect.withClock(clock), Effect.provide(quiet))
          )
          // Where the clock jumps past the deadline of all, they are still running by then.
          expect(report.totals.total).toBe(2)
          expect(report.totals.abandoned + report.totals.stillRunning).toBe(2)
        }),
        { seed, numRuns: 60 }
      )
  )

  it("a timer that is called off on a clock that cannot sleep does not come", async () => {
    for (const sleep of Object.keys(sleeps) as Array<Sleep>) {
      const { clock, goWrong } = clockOf({ readings: ["always the same"], sleep })
      await Effect.runPromise(goWrong)
      const origin = await Effect.runPromise(Fibers.withFiber((fiber) => Effect.succeed(Refs.originOf(fiber))))
      const timers = new Timers(clock, origin)
      let due = 0
      const deadline = DeadlineHeap.make(() => due++)
      timers.set(deadline, timers.now() + 20)
      timers.clear(deadline)
      await new Promise<void>((resolve) => timers.set(DeadlineHeap.make(resolve), timers.now() + 40))
      expect(due).toBe(0)
    }
  })
})

describe("after all time has passed on a TestClock", () => {
  const jump = TestClock.adjust(Duration.infinity)
  const run = <A, E>(effect: Effect.Effect<A, E>): Promise<A> =>
    Effect.runPromise(effect.pipe(Effect.provide(TestContext.TestContext), Effect.provide(quiet)))

  it("what was acquired before and after is released, by finalizers that yield, too", () =>
    run(Effect.gen(function*() {
      const released: Array<string> = []
      const note = (name: string) => () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => released.push(name)))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* ResourceGuard.acquireRelease(Effect.void, note("before"))
        yield* jump
        yield* ResourceGuard.acquireRelease(Effect.void, note("after"))
      })).pipe(Effect.provide(ResourceRegistry.layer))
      const [, report] = yield* ResourceScope.withReport(Effect.addFinalizer(note("scope")))
      expect(released).toEqual(["after", "before", "scope"])
      expect(report.totals.cleaned).toBe(1)
    })))

  it("what hung when it passed is let go", () =>
    run(
      Effect.gen(function*() {
        const scope = yield* ResourceScope.make()
        yield* Scope.addFinalizer(scope, Effect.never)
        yield* Scope.extend(ResourceGuard.make(Effect.void, () => Effect.never), scope)
        const closing = yield* Effect.fork(ResourceScope.close(scope, Exit.void))
        yield* Effect.yieldNow()
        yield* jump
        // The fiber that waits for the next limit is woken by the jump, too.
        yield* jump
        yield* jump
        const report = yield* Fiber.join(closing)
        expect(report.totals.abandoned).toBe(2)
      }).pipe(Effect.provide(ResourceRegistry.layer))
    ))
})

describe("a tracer that throws", () => {
  for (const when of ["begins", "ends"] as const) {
    it(`a tracer that throws where a span ${when} costs neither what was acquired nor its release, which runs once`, () =>
      Effect.runPromise(Effect.gen(function*() {
        let acquired = 0
        let released = 0
        const native = Tracer.make({
          span: (...args) => {
            if (when === "begins") throw new Error("no span")
            const span = Effect.runSync(Effect.tracer).span(...args)
            return Object.assign(Object.create(span), {
              end: () => {
                throw new Error("no end")
              }
            })
          },
          context: (f) => f()
        })
        yield* Effect.scoped(
          ResourceGuard.acquireRelease(Effect.sync(() => acquired++), () => Effect.sync(() => released++))
        ).pipe(Effect.withTracer(native), Effect.provide(ResourceRegistry.layer), Effect.provide(quiet))
        expect([acquired, released]).toEqual([1, 1])
      })))
  }
})
