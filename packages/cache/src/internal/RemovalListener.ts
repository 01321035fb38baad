/** A value has left the cache: that is counted and reported, and the user's listener has it before its release. */
import { disconnect, forkLater, UserFunction } from "@patinox/core/kernel"
import { Cause, Duration, Effect, Exit } from "effect"
import { workingOn } from "./ActiveWork.js"
import type { CacheContext } from "./CacheContext.js"
import { named } from "./CacheReporter.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"
import type { RemovalReason } from "./state/Vocabulary.js"

export class RemovalListener<K, A, E> {
  constructor(private readonly context: CacheContext<K, A, E>, private readonly state: CacheState<K, A, E>) {}

  removed(entry: CacheEntry<K, A, E>, reason: RemovalReason): void {
    const { manager: { onRemoval }, metrics, reporter, timers } = this.context
    metrics.removed(reason)
    reporter.emit(() => ({ _tag: "Removed", ...named(entry), reason, ageMillis: timers.now() - entry.writtenAt }))
    const { exit, key } = entry
    if (onRemoval === undefined || Exit.isFailure(exit)) return
    // It is not released before the listener has seen it.
    this.state.entries.hear(entry)
    this.listen(entry, UserFunction.effect(() => onRemoval({ key, value: exit.value, reason })))
  }

  private listen(entry: CacheEntry<K, A, E>, listening: Effect.Effect<unknown, unknown>): void {
    const { options, reporter, runtime } = this.context
    const limit = options.releaseTimeout
    const heard = workingOn(entry, listening).pipe(
      disconnect,
      Effect.interruptible,
      Effect.timeoutFailCause({
        duration: Duration.millis(limit),
        onTimeout: () => Cause.die(new Error(`it took longer than ${limit} ms`))
      })
    )
    forkLater(
      runtime,
      Effect.map(Effect.exit(heard), (exit) => {
        if (Exit.isFailure(exit)) reporter.listenerFailed(entry, exit.cause)
        this.state.heard(entry)
      })
    )
  }
}
