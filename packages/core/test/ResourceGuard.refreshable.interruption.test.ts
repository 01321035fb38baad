import { describe, expect, it } from "@effect/vitest"
import { interruptionSweep } from "@patinox/vitest"
import { Context, Effect, Schedule, type Scope } from "effect"
import { ResourceGuard, ResourceRegistry, ResourceScope } from "../src/index.js"
import { turns } from "./refreshableSource.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(ResourceRegistry.layerTest)

type Ledger = ReturnType<typeof ledger>

const ledger = () => {
  const counts = { opened: 0, released: 0, closed: 0, inFlight: 0, most: 0, misused: 0 }
  const acquire = Effect.acquireRelease(
    Effect.suspend(() => {
      counts.most = Math.max(counts.most, ++counts.inFlight)
      return Effect.yieldNow()
    }).pipe(
      Effect.andThen(Effect.sync(() => {
        counts.inFlight--
        counts.opened++
        return { isReleased: false }
      }))
    ),
    () => Effect.andThen(Effect.yieldNow(), Effect.sync(() => counts.closed++))
  )
  const release = (value: { isReleased: boolean }) =>
    Effect.suspend(() => {
      value.isReleased = true
      return Effect.andThen(Effect.yieldNow(), Effect.sync(() => counts.released++))
    })
  /** Notes whether what is used has been released. */
  const check = (value: { readonly isReleased: boolean }) =>
    Effect.andThen(
      Effect.yieldNow(),
      Effect.sync(() => {
        if (value.isReleased) counts.misused++
      })
    )
  return { acquire, check, counts, release }
}

class Service extends Context.Tag("app/Service")<Service, ResourceGuard.Refreshable<{ isReleased: boolean }>>() {}

type Env = ResourceRegistry.ResourceRegistry | Scope.Scope
const operations: Readonly<Record<string, (books: Ledger) => Effect.Effect<unknown, unknown, Env>>> = {
  "refreshable": ({ acquire, release }) => ResourceGuard.refreshable(acquire, release),
  "refresh": ({ acquire, release }) =>
    Effect.flatMap(
      ResourceGuard.refreshable(acquire, release),
      (token) => Effect.andThen(token.refresh, token.refresh)
    ),
  // An acquire that is interrupted has no release; what it had bound to its Scope is closed all the same.
  "refresh by two at once, whose acquire can be interrupted": ({ acquire, counts }) =>
    Effect.flatMap(
      ResourceGuard.refreshable(
        acquire,
        () => Effect.sync(() => counts.released++),
        { interruptibleAcquire: true }
      ),
      (token) => Effect.andThen(Effect.fork(Effect.exit(token.refresh)), Effect.exit(token.refresh))
    ),
  "use": ({ acquire, check, release }) =>
    Effect.flatMap(
      ResourceGuard.refreshable(acquire, release),
      (token) => token.use((value) => Effect.andThen(token.refresh, check(value)))
    ),
  "get": ({ acquire, check, release }) =>
    Effect.flatMap(
      ResourceGuard.refreshable(acquire, release),
      (token) => Effect.flatMap(token.get, (value) => Effect.andThen(token.refresh, check(value)))
    ),
  "close": ({ acquire, check, release }) =>
    Effect.flatMap(
      ResourceScope.scoped(Effect.flatMap(
        ResourceGuard.refreshable(acquire, release),
        (token) =>
          Effect.as(
            Effect.andThen(Effect.forkDaemon(Effect.exit(token.refresh)), Effect.forkDaemon(token.use(check))),
            token
          )
      )),
      (token) => Effect.exit(token.refresh)
    ),
  "layerRefreshable, on a schedule": ({ acquire, check, release }) =>
    Effect.provide(
      Effect.flatMap(Service, (token) => token.use((value) => Effect.andThen(Effect.yieldNow(), check(value)))),
      ResourceGuard.layerRefreshable(Service, acquire, release, { schedule: Schedule.recurs(2) })
    )
}

describe("interrupted at every point, nothing is left open, used too late or released twice (P1, P6)", () => {
  for (const [name, operation] of Object.entries(operations)) {
    it.effect(name, () => {
      const books = ledger()
      const { counts } = books
      const balanced = Effect.gen(function*() {
        const r = yield* registry
        // What is forked goes on for a few turns.
        yield* turns(50)
        yield* r.awaitIdle
        const { accounts, acquiring } = yield* r.snapshot
        expect({ live: accounts.live, acquiring, closed: counts.closed, cleaned: accounts.cleaned }).toEqual({
          live: 0,
          acquiring: [],
          closed: counts.opened,
          cleaned: accounts.registered
        })
        expect(counts.released).toBe(accounts.cleaned)
        expect(counts.misused).toBe(0)
        expect(counts.inFlight).toBe(0)
      })
      return Effect.gen(function*() {
        expect(yield* interruptionSweep(Effect.scoped(operation(books)), balanced)).toBeGreaterThan(20)
        expect(counts.opened).toBeGreaterThan(20)
        expect(counts.most).toBe(1)
      }).pipe(provide)
    })
  }
})
