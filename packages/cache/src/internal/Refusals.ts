/** The errors of a cache to its callers: each says what the cache was like at that moment. */
import { CacheClosed, type CacheCounts, CacheCycle, CacheFull, CacheTimeout } from "../CacheError.js"
import type { CacheReporter } from "./CacheReporter.js"
import type { CacheState } from "./state/CacheState.js"
import type { CacheStage, CloseReason, Refusal } from "./state/Vocabulary.js"

/** A caller whose time is up. */
export interface Overdue {
  readonly key: unknown
  readonly stage: CacheStage
  readonly limitMillis: number
  readonly counts: CacheCounts
}

export class Refusals {
  private whyClosed: CloseReason = "closed"

  constructor(
    private readonly cache: string,
    private readonly state: CacheState<any, any, any>,
    private readonly reporter: CacheReporter
  ) {}

  /** The cache is about to be closed as no value can be registered any longer. */
  registryClosed(): void {
    this.whyClosed = "registry shutting down"
  }

  counts(): CacheCounts {
    const { loads: { queued, running }, occupancy: { cached, inUse, releasing, weight } } = this.state
    return { entries: cached, inUse, loading: running.size, waiting: queued.size, releasing, weight }
  }

  /** Of a caller that joins no load. */
  of(refusal: Refusal, key: unknown): CacheClosed | CacheFull {
    switch (refusal) {
      case "closed":
        return this.closed()
      case "full":
        return this.full(key, false)
      default:
        return refusal satisfies never
    }
  }

  closed(): CacheClosed {
    return new CacheClosed({ cache: this.cache, reason: this.whyClosed })
  }

  cycle(key: unknown): CacheCycle {
    return new CacheCycle({ cache: this.cache, key })
  }

  full(key: unknown, isCircle: boolean): CacheFull {
    return new CacheFull({
      cache: this.cache,
      key,
      ...(isCircle ? { isCircle } : undefined),
      counts: this.counts()
    })
  }

  timedOut(overdue: Overdue): CacheTimeout {
    const error = new CacheTimeout({ cache: this.cache, ...overdue })
    this.reporter.emit(() => ({ _tag: "TimedOut", error }))
    return error
  }
}
