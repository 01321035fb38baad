/** Tells what happens in a cache: as events to who listens, and what somebody should look at as a line in the log. */
import { type AppRuntime, EventHub, forkLater, Text, type Timers, wallMillis } from "@patinox/core/kernel"
import { Cause, Effect } from "effect"
import type { CacheEvent } from "../CacheEvent.js"
import { abandonedOf } from "./AbandonedLookup.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { Attempt } from "./state/Load.js"

type Told = CacheEvent extends infer Event ? Event extends CacheEvent ? Omit<Event, "at" | "cache"> : never : never

export class CacheReporter {
  private readonly hub = new EventHub<CacheEvent>(({ _tag }) => _tag === "Closed")
  readonly stream = this.hub.stream

  constructor(
    private readonly cache: string,
    private readonly runtime: AppRuntime<never>,
    private readonly timers: Timers
  ) {}

  /** The event is made only where somebody listens. What it tells may be about to happen: it never throws. */
  emit(make: () => Told): void {
    this.hub.emit(() => ({ ...make(), at: wallMillis(this.timers.clock), cache: this.cache }) as CacheEvent)
  }

  closed(): void {
    this.emit(() => ({ _tag: "Closed" }))
    this.hub.end()
  }

  private warn(message: string, entry?: CacheEntry<any, any, any>): void {
    const id = entry?.held?.guard?.id
    const details = id === undefined ? {} : { "patinox.resource.id": id }
    forkLater(
      this.runtime,
      Effect.annotateLogs(Effect.logWarning(message), { "patinox.cache": this.cache, ...details })
    )
  }

  listenerFailed(entry: CacheEntry<any, any, any>, cause: Cause.Cause<unknown>): void {
    const reason = textOf(Cause.squash(cause))
    this.warn(`The removal listener of cache ${this.cache} failed for ${keyOf(entry)}: ${reason}`, entry)
    this.emit(() => ({ _tag: "ListenerFailed", ...named(entry), cause }))
  }

  policyFailed(policy: string, defect: unknown): void {
    this.warn(`Cache ${this.cache} goes on with the policy lru: ${policy} has failed with ${textOf(defect)}`)
  }

  /** For the first of a row: who reads the log knows by then. */
  refreshFailed(entry: CacheEntry<any, any, any>, cause: Cause.Cause<unknown>): void {
    const reason = textOf(Cause.squash(cause))
    this.warn(
      `Cache ${this.cache} keeps the old value of ${keyOf(entry)}: looking it up anew failed with ${reason}`,
      entry
    )
  }

  /** A lookup that does not end although it was to. */
  abandoned(attempt: Attempt<any, any, any>, now: number): void {
    const { fiberId, key, runningMillis, spanName } = abandonedOf(attempt, now)
    const where = spanName === undefined ? `fiber ${fiberId}` : `fiber ${fiberId}, span ${spanName}`
    this.warn(
      `Cache ${this.cache} abandons the lookup of ${textOf(key)} after ${Text.duration(runningMillis)}: ` +
        `it does not stop (${where}); the key and its place are free, and a value that it gives is released`
    )
    this.emit(() => ({ _tag: "LoadAbandoned", key, runningMillis, fiberId }))
  }

  /** A value was set that is released already, will be, or is that of another key. */
  notTaken(key: unknown): void {
    this.warn(
      `Cache ${this.cache} does not take the value that was set for ${textOf(key)}: it has had that value before, ` +
        `and releases it for what it was then`
    )
  }
}

const textOf = (value: unknown): string => Text.line(Text.unknown(value))

const keyOf = (entry: CacheEntry<any, any, any>) => textOf(entry.key)

/** What events carry of a value. */
export const named = (entry: CacheEntry<any, any, any>) => ({
  key: entry.key as unknown,
  ...(entry.held?.guard === undefined ? undefined : { id: entry.held.guard.id })
})
