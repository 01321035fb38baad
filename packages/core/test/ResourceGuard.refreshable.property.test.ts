/**
 * What holds of a refreshable in random programs of refreshes, users, cleanups and clock moves: no value is used once its
 * release has begun, unless a time limit forced that; each is released once; there is one acquire at a time; the accounts
 * are right (P1, P3, P6). `PATINOX_SEED` chooses other programs, `PATINOX_DEEP=1` runs ten times as many.
 */
import { Chunk, Deferred, Effect, Exit, Fiber, Logger, Schedule, Scope, TestClock, TestContext } from "effect"
import * as fc from "fast-check"
import { expect, it } from "vitest"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const deep = process.env["PATINOX_DEEP"] === "1"
const seed = Number(process.env["PATINOX_SEED"] ?? 20_240)
const numRuns = deep ? 3_000 : 300
const timeout = 9_000
/** When a cleanup no longer waits for users. */
const patience = timeout - timeout / 3

// --- programs -------------------------------------------------------------------------------------------------------

const acquireEnds = ["ok", "fail", "die", "hang"] as const
const releaseEnds = ["ok", "slow", "fail", "hang"] as const
type AcquireEnd = typeof acquireEnds[number]
type ReleaseEnd = typeof releaseEnds[number]

type Command =
  | { readonly _tag: "Refresh"; readonly end: AcquireEnd }
  | { readonly _tag: "GiveUp"; readonly caller: number }
  | { readonly _tag: "LetAcquire" }
  | { readonly _tag: "Use" | "Get" }
  | { readonly _tag: "Leave"; readonly user: number }
  | { readonly _tag: "Clean" | "Close" }
  | { readonly _tag: "Advance"; readonly millis: number }

interface Program {
  readonly commands: ReadonlyArray<Command>
  /** How the release of the nth value goes. */
  readonly releases: ReadonlyArray<ReleaseEnd>
  readonly interruptibleAcquire: boolean
  readonly isScheduled: boolean
  readonly ownScope: boolean
}

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ _tag: fc.constant("Refresh" as const), end: fc.constantFrom("ok" as const, ...acquireEnds) })
  },
  { weight: 1, arbitrary: fc.record({ _tag: fc.constant("GiveUp" as const), caller: fc.nat(20) }) },
  { weight: 4, arbitrary: fc.constant({ _tag: "LetAcquire" as const }) },
  { weight: 4, arbitrary: fc.record({ _tag: fc.constantFrom("Use" as const, "Get" as const) }) },
  { weight: 3, arbitrary: fc.record({ _tag: fc.constant("Leave" as const), user: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant({ _tag: "Clean" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({
      _tag: fc.constant("Advance" as const),
      millis: fc.constantFrom(100, 1_000, 3_000, 7_000, 60_000)
    })
  }
)

const program: fc.Arbitrary<Program> = fc.record({
  commands: fc.tuple(fc.array(command, { minLength: 20, maxLength: 40 }), fc.array(command, { maxLength: 6 })).map(
    ([before, after]): ReadonlyArray<Command> => [...before, { _tag: "Close" }, ...after]
  ),
  releases: fc.array(fc.constantFrom(...releaseEnds), { minLength: 40, maxLength: 40 }),
  interruptibleAcquire: fc.boolean(),
  isScheduled: fc.boolean(),
  ownScope: fc.boolean()
})

// --- what happens ---------------------------------------------------------------------------------------------------

interface Value {
  readonly n: number
  users: number
  running: number
  attempts: number
  successes: number
  /** When its cleanup was asked for from outside; from then on its limit runs. */
  askedAt: number
}

/** How often each end of an acquire, and of a release, met which state. */
const met = new Map<string, number>()
const meet = (what: string) => met.set(what, (met.get(what) ?? 0) + 1)

const makeWorld = ({ releases }: Program) =>
  Effect.gen(function*() {
    const clock = yield* Effect.clock
    const values: Array<Value> = []
    const violations: Array<string> = []
    const ends: Array<AcquireEnd> = []
    let inFlight = 0
    let closedAt = Infinity
    let letAcquire = yield* Deferred.make<void>()
    const letRelease = yield* Deferred.make<void>()
    const now = () => clock.unsafeCurrentTimeMillis()
    const isHeld = () => values.slice(0, -1).some(({ users }) => users > 0)
    const isUsed = () => (values.at(-1)?.users ?? 0) > 0

    const acquire = Effect.suspend((): Effect.Effect<unknown, "refused"> => {
      if (++inFlight > 1) violations.push("two acquires at once")
      const end = values.length === 0 ? "ok" : ends.shift() ?? "ok"
      if (values.length > 0) meet(`${end}, ${isUsed() ? "in use" : isHeld() ? "an earlier one in use" : "unused"}`)
      switch (end) {
        case "ok":
          return Effect.yieldNow()
        case "fail":
          return Effect.fail("refused" as const)
        case "die":
          return Effect.die("bug")
        case "hang":
          return Deferred.await(letAcquire)
      }
    }).pipe(
      Effect.ensuring(Effect.sync(() => inFlight--)),
      Effect.map(() => {
        const value = { n: values.length, users: 0, running: 0, attempts: 0, successes: 0, askedAt: Infinity }
        values.push(value)
        return value
      })
    )

    const release = (value: Value) =>
      Effect.suspend((): Effect.Effect<unknown, "refused"> => {
        const end = releases[value.n % releases.length]!
        const since = Math.min(value.askedAt, closedAt)
        if (++value.attempts === 1) {
          meet(`release ${end}, ${closedAt < Infinity ? "closing" : value.askedAt < Infinity ? "cleaned" : "replaced"}`)
          if (value.users > 0) {
            if (now() - since < patience) violations.push(`${value.n} released under ${value.users} users`)
            else meet("released under a user, as a limit forced it")
          }
        }
        if (++value.running > 1) violations.push(`two releases of ${value.n} at once`)
        switch (end) {
          case "ok":
            return Effect.yieldNow()
          case "slow":
            return Effect.sleep("2 seconds")
          case "fail":
            return Effect.fail("refused" as const)
          case "hang":
            return Effect.interruptible(Deferred.await(letRelease))
        }
      }).pipe(
        Effect.tap(() => Effect.sync(() => value.successes++)),
        Effect.ensuring(Effect.sync(() => value.running--))
      )

    /** Uses a value until `gate` opens. */
    const using = (value: Value, gate: Deferred.Deferred<void>) =>
      Effect.suspend(() => {
        if (value.attempts > 0) violations.push(`${value.n} is used after its release began`)
        value.users++
        return Effect.ensuring(Deferred.await(gate), Effect.sync(() => value.users--))
      })

    return {
      acquire,
      release,
      using,
      values,
      violations,
      ends,
      now,
      letRelease,
      close: () => {
        closedAt = Math.min(closedAt, now())
      },
      letAcquire: Effect.suspend(() => {
        const gate = letAcquire
        return Effect.andThen(
          Effect.map(Deferred.make<void>(), (next) => letAcquire = next),
          Deferred.succeed(gate, undefined)
        )
      })
    }
  })

const turns = Effect.repeatN(Effect.yieldNow(), 12)

const run = (program: Program) =>
  Effect.gen(function*() {
    const r = yield* registry
    const world = yield* makeWorld(program)
    const { values, violations } = world
    const scope = yield* (program.ownScope ? ResourceScope.make() : Scope.make())
    const token = yield* Scope.extend(
      ResourceGuard.refreshable(world.acquire, world.release, {
        timeout,
        interruptibleAcquire: program.interruptibleAcquire,
        ...(program.isScheduled ? { schedule: Schedule.spaced("20 seconds") } : undefined)
      }),
      scope
    )
    const callers: Array<Fiber.RuntimeFiber<Exit.Exit<void, unknown>>> = []
    const users: Array<
      { readonly gate: Deferred.Deferred<void>; readonly fiber: Fiber.RuntimeFiber<unknown, unknown> }
    > = []
    const others: Array<Fiber.RuntimeFiber<unknown, unknown>> = []

    const perform = (command: Command) =>
      Effect.gen(function*() {
        switch (command._tag) {
          case "Refresh":
            world.ends.push(command.end)
            callers.push(yield* Effect.forkDaemon(Effect.exit(token.refresh)))
            return
          case "GiveUp":
            if (callers.length > 0) yield* Fiber.interruptFork(callers[command.caller % callers.length]!)
            return
          case "LetAcquire":
            return yield* world.letAcquire
          case "Use":
          case "Get": {
            const gate = yield* Deferred.make<void>()
            const use = command._tag === "Use"
              ? token.use((value) => world.using(value, gate))
              : Effect.scoped(Effect.flatMap(token.get, (value) => world.using(value, gate)))
            users.push({ gate, fiber: yield* Effect.forkDaemon(use) })
            return
          }
          case "Leave": {
            const user = users[command.user % Math.max(1, users.length)]
            if (user === undefined) return
            // One way or the other.
            if (command.user % 2 === 0) yield* Deferred.succeed(user.gate, undefined)
            else yield* Fiber.interruptFork(user.fiber)
            return
          }
          case "Clean": {
            const value = yield* Effect.option(token.value)
            if (value._tag === "Some") value.value.askedAt = Math.min(value.value.askedAt, world.now())
            others.push(yield* Effect.forkDaemon(Effect.exit(r.cleanup(token.id))))
            return
          }
          case "Close":
            world.close()
            others.push(yield* Effect.forkDaemon(Scope.close(scope, Exit.void)))
            return
          case "Advance":
            return yield* TestClock.adjust(command.millis)
        }
      })

    const check = (step: string) =>
      Effect.gen(function*() {
        const { live, registered, ...rest } = yield* r.accounts
        const ended = rest.cleaned + rest.recovered + rest.failed + rest.abandoned + rest.disarmed
        if (registered !== live + ended) violations.push(`the accounts are wrong: ${JSON.stringify(yield* r.accounts)}`)
        const reading = yield* Effect.exit(token.value)
        if (Exit.isSuccess(reading) && reading.value.attempts > 0) violations.push("a reading gives a released value")
        const { earlier, refreshes } = yield* token.snapshot
        if (refreshes > values.length - 1) violations.push("more refreshes than values")
        if (earlier > values.length - 1) violations.push("more earlier values than there were")
        expect({ step, violations }).toEqual({ step, violations: [] })
      })

    for (const [index, command] of program.commands.entries()) {
      yield* perform(command)
      yield* turns
      yield* check(`step ${index + 1}: ${JSON.stringify(command)}`)
    }

    // Everything is let go, and time passes.
    for (const { gate } of users) yield* Deferred.succeed(gate, undefined)
    for (let i = 0; i < 3; i++) {
      yield* world.letAcquire
      yield* turns
      yield* TestClock.adjust("20 seconds")
    }
    yield* check("the end")
    for (const fiber of others) yield* Fiber.join(fiber)
    for (const fiber of callers) expect((yield* Fiber.await(fiber))._tag).toBeDefined()
    const { accounts, acquiring } = yield* r.snapshot
    expect({ acquiring, live: accounts.live, registered: accounts.registered }).toEqual({
      acquiring: [],
      live: 0,
      registered: values.length
    })
    expect(values.map(({ successes }) => successes).every((n) => n <= 1)).toBe(true)
    expect(accounts.cleaned + accounts.recovered).toBe(values.filter(({ successes }) => successes === 1).length)
    const healthy = values.filter(({ n }) => ["ok", "slow"].includes(program.releases[n % program.releases.length]!))
    expect(healthy.map(({ attempts, successes }) => [attempts, successes])).toEqual(healthy.map(() => [1, 1]))
    expect(yield* Effect.flip(token.refresh)).toMatchObject({ _tag: "AlreadyCleanedUp" })
    expect((yield* token.snapshot).earlier).toBe(0)
    // No timer is left, and so nothing that refreshes.
    expect(Chunk.size(yield* TestClock.sleeps())).toBe(0)
  }).pipe(
    Effect.provide(ResourceRegistry.layerWith({ deadLetters: 0 })),
    Effect.provide(Logger.remove(Logger.defaultLogger)),
    Effect.provide(TestContext.TestContext),
    Effect.runPromise
  )

it(`holds in ${numRuns} programs`, { timeout: deep ? 1_200_000 : 240_000 }, async () => {
  // Side by side, each program on a clock of its own: most of their time is spent on the turns of the event loop.
  const parts = Array.from(
    { length: 15 },
    (_, i) => fc.assert(fc.asyncProperty(program, run), { seed: seed + i, numRuns: numRuns / 15 })
  )
  await Promise.all(parts)
  const table = [...met].sort().map(([what, times]) => `${String(times).padStart(6)}  ${what}`)
  console.log(`seed ${seed}, ${numRuns} programs\n${table.join("\n")}`)
  const wanted = [
    ...acquireEnds.flatMap((end) => ["in use", "an earlier one in use", "unused"].map((state) => `${end}, ${state}`)),
    ...releaseEnds.flatMap((end) => ["closing", "cleaned", "replaced"].map((state) => `release ${end}, ${state}`)),
    "released under a user, as a limit forced it"
  ]
  expect(wanted.filter((what) => (met.get(what) ?? 0) < 10)).toEqual([])
})
