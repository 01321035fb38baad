/** Values that users give by hand, with `set`: each becomes a guard of the registry, or is released at once. */
import { forkLater, makeDeferred } from "@patinox/core/kernel"
import { type Cause, Deferred, Effect, Exit } from "effect"
import type { CacheClosed } from "../CacheError.js"
import type { CacheContext, Env } from "./CacheContext.js"
import type { EntryMaker } from "./EntryMaker.js"
import type { Registrar } from "./Registrar.js"
import { isSameObject } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"
import { hashOf, keptKey } from "./state/KeyMap.js"

export interface GivenValuesParts<K, A, E> {
  readonly state: CacheState<K, A, E>
  readonly maker: EntryMaker<K, A, E>
  readonly registrar: Registrar<K, A, E>
  /** For who sets a value in a cache that is closed. */
  readonly closed: () => CacheClosed
}

export class GivenValues<K, A, E> {
  constructor(private readonly context: CacheContext<K, A, E>, private readonly parts: GivenValuesParts<K, A, E>) {}

  /** Registered in a fiber that belongs to no caller. A closed cache, too, has to release the value. */
  set(key: K, value: A): Effect.Effect<void, CacheClosed> {
    return Effect.suspend(() => {
      const done = makeDeferred<Exit.Exit<boolean>>()
      forkLater(this.context.runtime, Effect.flatMap(this.take(key, value), (exit) => Deferred.succeed(done, exit)))
      return Effect.flatMap(
        Effect.flatten(Deferred.await(done)),
        (isTaken) => isTaken ? Effect.void : Effect.fail(this.parts.closed())
      )
    })
  }

  /**
   * Tells whether the cache is open; else the value is released. A value that the cache has had before is not taken
   * again, as it is released for what it was before.
   */
  private take(key: K, value: A): Effect.Effect<Exit.Exit<boolean>, never, Env> {
    const { isPlain, reporter, timers } = this.context
    const { maker, registrar, state } = this.parts
    const given = Exit.succeed(value)
    const keyed = { key: keptKey(key), hash: hashOf(key) }
    const there = state.entries.like(keyed)
    const isThere = there !== undefined && isSameObject(there.exit, given)
    let isTaken = state.isOpen
    if (!isThere && !isPlain && registrar.hasOwned(value)) {
      if (isTaken) reporter.notTaken(keyed.key)
      return Effect.succeed(Exit.succeed(isTaken))
    }
    const entry = maker.make(keyed, given)
    const answer = () =>
      Exit.isFailure(entry.exit) ? Exit.failCause(entry.exit.cause as Cause.Cause<never>) : Exit.succeed(isTaken)
    // The cache has it already, and releases it once.
    if (isThere) {
      // A function of the user's may have made it go.
      if (!entry.isFailure && there.status === "cached") {
        state.renew(there, entry, entry.expiresAt > entry.writtenAt, timers.now())
      }
      return Effect.sync(answer)
    }
    return Effect.map(
      registrar.register(entry, value, registrar.newScope(), (isRefused) => {
        isTaken = !isRefused && state.isOpen
        if (!isRefused) state.set(entry, entry.expiresAt > entry.writtenAt, timers.now())
      }),
      answer
    )
  }
}
