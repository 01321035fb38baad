/** Promises that ours keeps and Effect's own `Pool` does not: each asked of both, so that the difference is seen. */
import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Pool, Scope } from "effect"
import { ResourcePool } from "../../src/index.js"
import { inScope, logging, openScope, turns } from "../kit.js"

/** Gives `get` of a pool of one item. */
type Make = <A>(create: Effect.Effect<A, never, Scope.Scope>) => Effect.Effect<
  Effect.Effect<A, unknown, Scope.Scope>,
  unknown,
  any
>

const effects: Make = (acquire) =>
  Effect.map(Pool.makeWithTTL({ acquire, min: 0, max: 1, timeToLive: "1 days" }), Pool.get)
const ours: Make = (create) => Effect.map(ResourcePool.make(create, { maxSize: 1 }), ({ get }) => get)

const compare = <B>(ask: (make: Make) => Effect.Effect<B, unknown, any>) =>
  Effect.all({ effects: ask(effects), ours: ask(ours) }) as Effect.Effect<
    { readonly effects: B; readonly ours: B },
    unknown,
    never
  >

const isOver = (fiber: Fiber.Fiber<unknown, unknown>) =>
  Effect.andThen(turns, Effect.map(Fiber.poll(fiber), Option.isSome))

describe("beside Effect's own pool", () => {
  it.effect("who waits for an item that is being created can be interrupted: there it cannot", () =>
    inScope(Effect.gen(function*() {
      const seen = yield* compare((make) =>
        Effect.gen(function*() {
          const gate = yield* Deferred.make<void>()
          const borrower = yield* Effect.fork(Effect.scoped(yield* make(Deferred.await(gate))))
          yield* turns
          const interrupting = yield* Effect.fork(Fiber.interrupt(borrower))
          const isInterrupted = yield* isOver(interrupting)
          yield* Deferred.succeed(gate, undefined)
          yield* Fiber.join(interrupting)
          return isInterrupted
        })
      )
      expect(seen).toEqual({ effects: false, ours: true })
    })))

  it.effect("who waits has a deadline: there it waits for an hour", () =>
    inScope(Effect.gen(function*() {
      const seen = yield* compare((make) =>
        Effect.gen(function*() {
          const get = yield* make(Effect.void)
          yield* get
          const borrower = yield* Effect.fork(Effect.flip(Effect.scoped(get)))
          yield* turns
          yield* TestClock.adjust("1 hours")
          const hasEnded = yield* isOver(borrower)
          yield* Fiber.interrupt(borrower)
          return hasEnded
        })
      )
      expect(seen).toEqual({ effects: false, ours: true })
    })))

  it.effect("who returns an item and wants another waits for its turn: there it goes first, again and again", () =>
    inScope(Effect.gen(function*() {
      const seen = yield* compare((make) =>
        Effect.gen(function*() {
          const get = yield* make(Effect.void)
          const served: Array<string> = []
          const borrow = (who: string) =>
            Effect.scoped(Effect.andThen(get, Effect.andThen(Effect.sync(() => served.push(who)), turns)))
          const greedy = yield* Effect.fork(Effect.repeatN(borrow("greedy"), 2))
          yield* Effect.repeatN(Effect.yieldNow(), 10)
          yield* Fiber.join(yield* Effect.fork(borrow("patient")))
          yield* Fiber.join(greedy)
          return served.join(", ")
        })
      )
      expect(seen).toEqual({
        effects: "greedy, greedy, greedy, patient",
        ours: "greedy, patient, greedy, greedy"
      })
    })))

  it.effect("the end comes, though an item is not returned: there it does not within an hour", () =>
    inScope(Effect.gen(function*() {
      const seen = yield* compare((make) =>
        Effect.gen(function*() {
          const { close, scope } = yield* openScope
          const holding = yield* Scope.make()
          yield* Scope.extend(yield* Scope.extend(make(Effect.void), scope), holding)
          const closing = yield* Effect.fork(close)
          yield* turns
          yield* TestClock.adjust("1 hours")
          const hasEnded = yield* isOver(closing)
          yield* Scope.close(holding, Exit.void)
          yield* Fiber.join(closing)
          return hasEnded
        })
      )
      expect(seen).toEqual({ effects: false, ours: true })
    })))

  it.effect("who comes after the end fails with a type: there it is interrupted", () =>
    inScope(Effect.gen(function*() {
      const seen = yield* compare((make) =>
        Effect.gen(function*() {
          const { close, scope } = yield* openScope
          const get = yield* Scope.extend(make(Effect.void), scope)
          yield* close
          const exit = yield* Fiber.await(yield* Effect.fork(Effect.scoped(get)))
          return Exit.isInterrupted(exit) ? "interrupted" : Exit.isFailure(exit) && exit.cause
        })
      )
      expect(seen).toMatchObject({ effects: "interrupted", ours: { error: { _tag: "PoolClosed" } } })
    })))

  it.effect("a finalizer of an item that dies is in the log: there nobody is told", () =>
    logging((lines) =>
      Effect.gen(function*() {
        const seen = yield* compare((make) =>
          Effect.gen(function*() {
            const { close, scope } = yield* openScope
            const dying = Effect.acquireRelease(Effect.void, () => Effect.die("the socket is gone"))
            yield* Effect.scoped(yield* Scope.extend(make(dying), scope))
            const before = lines.length
            yield* close
            return lines.slice(before).filter((line) => line.includes("the socket is gone")).length > 0
          })
        )
        expect(seen).toEqual({ effects: false, ours: true })
      })
    ))
})
