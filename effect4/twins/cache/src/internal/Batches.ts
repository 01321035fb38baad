/**
 * Requests of lookups that run side by side go out as one batch. Effect 4 does that by itself, whatever fibers they are
 * made in: how long a resolver waits is its own setting.
 */
import type { AppRuntime } from "@patinox/core/kernel"
import { Effect, type Exit } from "effect"

export class Batches {
  constructor(readonly runtime: AppRuntime<never>) {}

  /** The exit of a lookup, in an uninterruptible region. */
  run<A, E, R>(lookup: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> {
    return Effect.exit(lookup)
  }
}
