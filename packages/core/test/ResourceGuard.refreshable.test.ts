/** Shows `RefreshableGuard` and `RefreshableTypes`. */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Context, Deferred, Effect, Exit, Fiber, Layer, Option, Schedule, Scope, TestClock } from "effect"
import { inspect } from "node:util"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"
import { make, source, turns } from "./refreshableSource.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

describe("a refresh", () => {
  it.effect("acquires the new value before the old one is released", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s)
      const first = token.id
      expect(yield* token.value).toBe(1)
      yield* token.refresh
      expect(yield* token.value).toBe(2)
      expect(token.id).not.toBe(first)
      expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1"])
    }).pipe(Effect.scoped, provide))

  for (
    const [name, end] of Object.entries({
      "fails": Effect.fail("refused" as const),
      "dies": Effect.die("bug"),
      "interrupts itself": Effect.interrupt
    })
  ) {
    it.effect(`a refresh that ${name} ends so for its caller, and the old value stays usable`, () =>
      Effect.gen(function*() {
        const s = source()
        const token = yield* make(s)
        s.plan.push(end)
        yield* TestClock.adjust("5 seconds")
        const exit = yield* Effect.exit(token.refresh)
        if (name === "interrupts itself") expect(Exit.isInterrupted(exit)).toBe(true)
        else expect(exit).toEqual(yield* Effect.exit(end))
        expect(yield* token.use(Effect.succeed)).toBe(1)
        expect(yield* token.snapshot).toMatchObject({
          refreshes: 0,
          failures: 1,
          isRefreshing: false,
          lastFailure: { at: 5_000, cause: Exit.isFailure(exit) && exit.cause }
        })
        expect(yield* (yield* registry).accounts).toMatchObject({ registered: 1, live: 1 })
        yield* token.refresh
        expect(yield* token.value).toBe(2)
        expect(yield* token.snapshot).toMatchObject({ refreshes: 1, failures: 0, lastFailure: { at: 5_000 } })
      }).pipe(Effect.scoped, provide))
  }

  it.effect("a refresh called by many at once acquires once, and all have its result", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s)
      const gate = yield* Deferred.make<void, "refused">()
      s.plan.push(Deferred.await(gate), Effect.fail("refused"))
      const callers = yield* Effect.forEach(Array.from({ length: 5 }), () => Effect.fork(Effect.exit(token.refresh)))
      yield* turns(5)
      expect(yield* token.snapshot).toMatchObject({ isRefreshing: true })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Fiber.join(Fiber.all(callers))).toEqual(Array.from({ length: 5 }, () => Exit.void))
      expect(s.counts).toEqual({ acquires: 2, opened: 2 })
      // The next one is another.
      expect(yield* Effect.flip(token.refresh)).toBe("refused")
      expect(s.counts.acquires).toBe(3)
    }).pipe(Effect.scoped, provide))

  it.effect("a refresh is not ended by the interruption of one caller, and goes on for the others", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { interruptibleAcquire: true })
      const gate = yield* Deferred.make<void>()
      s.plan.push(Deferred.await(gate))
      const one = yield* Effect.fork(token.refresh)
      const other = yield* Effect.fork(token.refresh)
      yield* turns(5)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(one))).toBe(true)
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(other)
      expect(yield* token.value).toBe(2)
      expect(s.counts.acquires).toBe(2)
    }).pipe(Effect.scoped, provide))

  it.effect("a refresh is interrupted when its last caller is, where its acquire can be; that is no failure", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { interruptibleAcquire: true })
      let stopped = false
      s.plan.push(Effect.onInterrupt(Effect.never, () => Effect.sync(() => stopped = true)))
      const callers = yield* Effect.all([Effect.fork(token.refresh), Effect.fork(token.refresh)])
      yield* turns(5)
      yield* Fiber.interruptAll(callers)
      yield* turns(5)
      expect(stopped).toBe(true)
      expect(yield* token.snapshot).toMatchObject({ failures: 0, lastFailure: undefined, isRefreshing: false })
      expect((yield* (yield* registry).snapshot).acquiring).toEqual([])
      yield* token.refresh
      expect(yield* token.value).toBe(2)
    }).pipe(Effect.scoped, provide))

  it.effect("a refresh may have a time limit in its acquire, where that can be interrupted", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { interruptibleAcquire: true })
      s.plan.push(Effect.timeoutFail(Effect.never, { duration: "5 seconds", onTimeout: () => "refused" as const }))
      const caller = yield* Effect.fork(Effect.flip(token.refresh))
      yield* TestClock.adjust("5 seconds")
      expect(yield* Fiber.join(caller)).toBe("refused")
    }).pipe(Effect.scoped, provide))

  it.effect("goes on without a caller where its acquire cannot be interrupted, and its value is taken", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s)
      const gate = yield* Deferred.make<void>()
      s.plan.push(Deferred.await(gate))
      const caller = yield* Effect.fork(token.refresh)
      yield* turns(5)
      yield* Fiber.interrupt(caller)
      const next = yield* Effect.fork(token.refresh)
      yield* turns(5)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(next)
      expect(yield* token.value).toBe(2)
      expect(s.counts.opened).toBe(2)
    }).pipe(Effect.scoped, provide))

  it.effect("a refresh called while one that was given up still stops is another, after it", () =>
    Effect.gen(function*() {
      const s = source()
      const token = yield* make(s, { interruptibleAcquire: true })
      const stopping = yield* Deferred.make<void>()
      s.plan.push(Effect.onInterrupt(Effect.never, () => Deferred.await(stopping)))
      const given = yield* Effect.fork(token.refresh)
      yield* turns(5)
      yield* Fiber.interrupt(given)
      const next = yield* Effect.fork(token.refresh)
      const last = yield* Effect.fork(token.refresh)
      yield* turns(5)
      expect(s.counts.acquires).toBe(2)
      yield* Fiber.interrupt(last)
      yield* Deferred.succeed(stopping, undefined)
      yield* Fiber.join(next)
      expect(s.counts).toEqual({ acquires: 3, opened: 2 })
      expect(yield* token.value).toBe(2)
    }).pipe(Effect.scoped, provide))

  it.effect("runs with what the first acquire had: its services, its log annotations", () =>
    Effect.gen(function*() {
      class Url extends Context.Tag("app/Url")<Url, string>() {}
      const seen: Array<unknown> = []
      const acquire = Effect.flatMap(Url, (url) =>
        Effect.map(Effect.logAnnotations, (annotations) => seen.push([url, Object.fromEntries(annotations)])))
      const token = yield* ResourceGuard.refreshable(acquire, () =>
        Effect.void).pipe(
          Effect.provideService(Url, "first"),
          Effect.annotateLogs("app", "one")
        )
      yield* token.refresh.pipe(Effect.annotateLogs("app", "two"))
      expect(seen).toEqual([["first", { app: "one" }], ["first", { app: "one" }]])
    }).pipe(Effect.scoped, provide))

  it.effect("makes a guard of each value, under the same name and policy", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const token = yield* ResourceGuard.refreshable(
        Effect.succeed("secret"),
        () => Effect.fail("refused" as const),
        { typeName: "Token", metadata: { issuer: "us" }, recovery: { fallback: () => Effect.void } }
      )
      const [before] = yield* r.list
      yield* token.refresh
      const [after] = yield* r.list
      expect(after).toEqual({ ...before!, id: token.id, owner: after!.owner })
      expect(before!.id).not.toBe(token.id)
      expect(yield* r.accounts).toMatchObject({ registered: 2, live: 1, recovered: 1 })
    }).pipe(Effect.scoped, provide))

  it.effect("shows no value in its inspection and JSON, nor to who looks at its fields", () =>
    Effect.gen(function*() {
      const token = yield* ResourceGuard.refreshable(Effect.succeed("secret"), () => Effect.void, { typeName: "Token" })
      yield* token.refresh
      const shown = [
        JSON.stringify(token),
        String(token),
        inspect(token),
        inspect(token, { customInspect: false, depth: 20, showHidden: true })
      ]
      expect(shown.filter((text) => text.includes("secret"))).toEqual([])
      expect(JSON.parse(shown[0]!)).toEqual({ _id: "Refreshable", id: token.id, typeName: "Token", state: "inUse" })
    }).pipe(Effect.scoped, provide))

  it.effect("hands the old value to the registry, and does not wait for its cleanup; one that fails is a dead letter", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const token = yield* ResourceGuard.refreshable(
        Effect.succeed("secret"),
        () => Effect.andThen(Deferred.await(gate), Effect.fail("refused"))
      )
      yield* token.refresh
      expect(yield* r.accounts).toMatchObject({ live: 2, cleaning: 1 })
      expect(yield* token.snapshot).toMatchObject({ earlier: 1 })
      yield* Deferred.succeed(gate, undefined)
      yield* r.awaitIdle
      expect((yield* r.deadLetters.list).map(({ record }) => [record.trigger, record.outcome])).toEqual([
        ["background", "failed"]
      ])
      expect(yield* token.snapshot).toMatchObject({ earlier: 0 })
    }).pipe(Effect.scoped, provide))

  it.effect("gives the release of the old value a success", () =>
    Effect.gen(function*() {
      let seen: Exit.Exit<unknown, unknown> | undefined
      const token = yield* ResourceGuard.refreshable(Effect.void, (_, exit) => Effect.sync(() => seen = exit))
      yield* token.refresh
      expect(seen).toEqual(Exit.void)
    }).pipe(Effect.scoped, provide))

  it.effect("brings a value where the registry had cleaned the old one up", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      const token = yield* make(s)
      yield* r.cleanup(token.id)
      expect((yield* Effect.flip(token.value))._tag).toBe("AlreadyCleanedUp")
      expect((yield* Effect.flip(token.use(Effect.succeed)))._tag).toBe("AlreadyCleanedUp")
      expect((yield* Effect.flip(token.get))._tag).toBe("AlreadyCleanedUp")
      yield* token.refresh
      expect(yield* token.use(Effect.succeed)).toBe(2)
      expect(s.log).toEqual(["acquired 1", "released 1", "acquired 2"])
    }).pipe(Effect.scoped, provide))
})

describe("the first acquire", () => {
  for (
    const [kind, makeScope] of Object.entries({
      "an Effect scope": Scope.make(),
      "a ResourceScope": ResourceScope.make()
    })
  ) {
    it.effect(`the first acquire that fails leaves nothing, neither in ${kind} nor in the registry`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const s = source()
        const scope = yield* makeScope
        for (const end of [Effect.fail("refused" as const), Effect.die("bug")]) {
          s.plan.push(end)
          const exit = yield* Effect.exit(Scope.extend(make(s, { schedule: Schedule.spaced("1 second") }), scope))
          expect(exit).toEqual(yield* Effect.exit(end))
        }
        yield* TestClock.adjust("1 minute")
        expect(s.counts).toEqual({ acquires: 2, opened: 0 })
        expect((scope as any).state.finalizers.size).toBe(0)
        expect(yield* r.snapshot).toMatchObject({ acquiring: [], accounts: { registered: 0 } })
      }).pipe(provide))
  }

  it.effect("the first acquire cannot be interrupted, unless interruptibleAcquire says so", () =>
    Effect.gen(function*() {
      for (const interruptibleAcquire of [false, true]) {
        const s = source()
        const gate = yield* Deferred.make<void>()
        s.plan.push(Deferred.await(gate))
        const fiber = yield* Effect.fork(Effect.scoped(make(s, { interruptibleAcquire })))
        yield* turns(5)
        const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
        yield* turns(5)
        expect(Option.isSome(yield* Fiber.poll(interrupting))).toBe(interruptibleAcquire)
        yield* Deferred.succeed(gate, undefined)
        expect(Exit.isInterrupted(yield* Fiber.join(interrupting))).toBe(true)
        expect(s.log).toEqual(interruptibleAcquire ? [] : ["acquired 1", "released 1"])
      }
    }).pipe(provide))

  it.effect("the first acquire is not begun with a bad option", () =>
    Effect.gen(function*() {
      const s = source()
      for (const [option, value] of [["schedule", "1 minute"], ["timeout", 0]] as const) {
        const exit = yield* Effect.exit(make(s, { [option]: value } as never))
        expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toMatchObject({
          _tag: "Validation",
          message: expect.stringContaining(`"${option}"`)
        })
      }
      expect(s.counts.acquires).toBe(0)
    }).pipe(Effect.scoped, provide))
})

describe("as a layer", () => {
  class Token extends Context.Tag("app/Token")<Token, ResourceGuard.Refreshable<number, "refused">>() {}

  it.effect("a refreshable as a layer is named by its Tag, refreshed for all who have it, and released with the layer", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const s = source()
      yield* Effect.gen(function*() {
        const token = yield* Token
        expect((yield* r.list).map(({ typeName }) => typeName)).toEqual(["app/Token"])
        yield* TestClock.adjust("1 minute")
        expect(yield* token.value).toBe(2)
        s.plan.push(Effect.fail("refused"))
        expect(yield* Effect.flip(token.refresh)).toBe("refused")
      }).pipe(
        Effect.provide(ResourceGuard.layerRefreshable(Token, s.acquire, s.release, {
          schedule: Schedule.spaced("1 minute")
        }))
      )
      expect(s.log).toEqual(["acquired 1", "acquired 2", "released 1", "released 2"])
      expect(yield* r.activeCount).toBe(0)
    }).pipe(provide))

  it.effect("a refreshable as a layer can be depended on by its Tag", () =>
    Effect.gen(function*() {
      const s = source()
      class Client extends Context.Tag("app/Client")<Client, string>() {}
      const client = ResourceGuard.layer(
        Client,
        Effect.succeed("client"),
        () => Effect.sync(() => s.log.push("released client")),
        { dependsOn: [Token] }
      )
      const token = ResourceGuard.layerRefreshable(Token, s.acquire, s.release)
      yield* Effect.gen(function*() {
        const token = yield* Token
        yield* token.refresh
        yield* token.refresh
        yield* (yield* registry).cleanup(token.id)
      }).pipe(Effect.provide(Layer.provideMerge(client, token)))
      expect(s.log.slice(-3)).toEqual(["released 2", "released client", "released 3"])
    }).pipe(provide))
})
