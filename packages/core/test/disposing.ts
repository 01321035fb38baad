/** What the tests of a dispose share: a database that notes its release, and fibers that ignore their interruption. */
import { Context, Deferred, Effect, Fiber, Layer, Logger, Option } from "effect"
import type { CleanupReport } from "../src/index.js"

export class Database extends Context.Tag("app/Database")<Database, { readonly isOpen: () => boolean }>() {}
export class Cache extends Context.Tag("app/Cache")<Cache, string>() {}

export const silent = Effect.provide(Logger.remove(Logger.defaultLogger))
export const turns = Effect.repeatN(Effect.yieldNow(), 9)

/** A database that notes when it is released. */
export const database = (log: Array<string> = [], release: Effect.Effect<unknown> = Effect.void) =>
  Layer.scoped(
    Database,
    Effect.suspend(() => {
      let isOpen = true
      return Effect.acquireRelease(
        Effect.succeed({ isOpen: () => isOpen }),
        () =>
          Effect.andThen(
            release,
            Effect.sync(() => {
              isOpen = false
              log.push("released")
            })
          )
      )
    })
  )

export const whenInterrupted = (then: () => void) => Effect.onInterrupt(Effect.never, () => Effect.sync(then))
export const isDone = (fiber: Fiber.Fiber<unknown, unknown>) => Effect.map(Fiber.poll(fiber), Option.isSome)
export const outcomes = (report: CleanupReport.CleanupReport) =>
  report.records.map(({ outcome, typeName }) => `${typeName.replace(/#\d+/, "#n")} ${outcome}`)

/** Ignores its interruption until it is let go. */
export const stubborn = () => {
  const gate = Effect.runSync(Deferred.make<void>())
  return {
    wait: Effect.withSpan(Effect.uninterruptible(Deferred.await(gate)), "GET /orders"),
    letGo: Deferred.succeed(gate, undefined)
  }
}
