/**
 * Reports what happens in a cache: as events to its listeners, and what an operator should look at as a line in the
 * log.
 */
import { type AppRuntime, EventHub, forkLater, Text, type Timers, wallMillis } from "@patinox/core/kernel"
import { Cause, Effect } from "effect"
import type { CacheEvent } from "../CacheEvent.js"
import { abandonedOf } from "./AbandonedLookup.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { Attempt } from "./state/Load.js"

type Reported = CacheEvent extends infer Event ? Event extends CacheEvent ? Omit<Event, "at" | "cache"> : never : never

export class CacheReporter {
  private readonly hub = new EventHub<CacheEvent>(({ _tag }) => _tag === "Closed")
  readonly stream = this.hub.stream

  constructor(
    private readonly cache: string,
    private readonly runtime: AppRuntime<never>,
    private readonly timers: Timers
  ) {}

  /** The event is made only where there is a listener. What it reports may be about to happen: it never throws. */
  emit(make: () => Reported): void {
    this.hub.emit(() => ({ ...make(), at: wallMillis(this.timers.clock), cache: this.cache }) as CacheEvent)
  }

  closed(): void {
    this.emit(() => ({ _tag: "Closed" }))
    this.hub.end()
  }

  private warn(message: string, entry?: CacheEntry<any, any, any>): void {
    const id = entry?.lease?.guard?.id
    const details = id === undefined ? {} : { "patinox.resource.id": id }
    forkLater(
      this.runtime,
      Effect.annotateLogs(Effect.logWarning(message), { "patinox.cache": this.cache, ...details })
    )
  }

  listenerFailed(entry: CacheEntry<any, any, any>, cause: Cause.Cause<unknown>): void {
    const reason = textOf(Cause.squash(cause))
    this.warn(
      `Cache ${this.cache}: the removal listener failed for ${keyOf(entry)} (${reason}); the release goes on`,
      entry
    )
    this.emit(() => ({ _tag: "ListenerFailed", ...named(entry), cause }))
  }

  policyFailed(policy: string, defect: unknown): void {
    this.warn(`Cache ${this.cache}: the policy ${policy} failed (${textOf(defect)}); evicting by lru from now on`)
  }

  /** For the first of a row: more lines would say no more. */
  refreshFailed(entry: CacheEntry<any, any, any>, cause: Cause.Cause<unknown>): void {
    const reason = textOf(Cause.squash(cause))
    this.warn(
      `Cache ${this.cache}: refreshing ${keyOf(entry)} failed (${reason}); keeping the old value`,
      entry
    )
  }

  /** A load that does not stop. */
  abandoned(attempt: Attempt<any, any, any>, now: number): void {
    const { fiberId, key, runningMillis, spanName } = abandonedOf(attempt, now)
    const where = spanName === undefined ? `fiber ${fiberId}` : `fiber ${fiberId}, span ${spanName}`
    this.warn(
      `Cache ${this.cache}: abandoned the load of ${textOf(key)}, which does not stop after ` +
        `${Text.duration(runningMillis)} (${where}); its key and place are free, and its value will be released`
    )
    this.emit(() => ({ _tag: "LoadAbandoned", key, runningMillis, fiberId }))
  }

  /** A value was set that is released already, will be, or belongs to another key. */
  notTaken(key: unknown): void {
    this.warn(
      `Cache ${this.cache}: did not take the value set for ${textOf(key)}, which it has had before; ` +
        `the value is released for its earlier entry`
    )
  }
}

const textOf = (value: unknown): string => Text.line(Text.unknown(value))

const keyOf = (entry: CacheEntry<any, any, any>) => textOf(entry.key)

/** What events carry of a value. */
export const named = (entry: CacheEntry<any, any, any>) => ({
  key: entry.key as unknown,
  ...(entry.lease?.guard === undefined ? undefined : { id: entry.lease.guard.id })
})
