/**
 * The end of a cache, in one course however many ask for it: nobody new is let in, lookups end, what nobody uses is
 * released, what is in use is waited for and, before the deadline, released under its users' hands.
 */
import type { CleanupError, ResourceId } from "@patinox/core"
import { makeDeadline } from "@patinox/core/Foundation"
import { Deferred, Effect } from "effect"
import type { Cache } from "./Cache.js"
import type { Hold } from "./Held.js"
import { Loading } from "./Loading.js"
import * as Seam from "./Seam.js"
import { Slot } from "./Slot.js"
import type { WorkItem } from "./Work.js"

type AnyLoading = Loading<any, any, any>

/** What became of a cache. */
export interface CacheReport {
  readonly cache: string
  readonly durationMillis: number
  readonly deadlineMillis: number
  /** Something was left when the time was up. */
  readonly deadlineReached: boolean
  /** Callers that waited, and were told that the cache is closed. */
  readonly refused: number
  /** Values that were released though somebody used them. */
  readonly reclaimed: number
  /** Values that were released, without failure or with. */
  readonly released: number
  readonly failed: ReadonlyArray<{
    readonly id: ResourceId.ResourceId
    readonly key: unknown
    readonly error: CleanupError.CleanupError<unknown>
  }>
  /** Used, looked up or being released by who closes the cache: it ends afterwards. */
  readonly stillHeld: number
  /** Still being looked up or released when the time was up. */
  readonly stillRunning: number
}

/** Shortly before the deadline, so that there is time to release: a fifth of the time, at most 5 seconds. */
const forceMargin = (timeout: number): number => Math.min(5_000, timeout / 5)

export class Closing {
  readonly report = Seam.makeDeferred<CacheReport>()
  /** What those use or do who wait for the end: nobody waits for these. */
  private readonly own = new Set<Hold | WorkItem>()
  private readonly startedAt: number
  private refused = 0
  private reclaimed = 0
  private released = 0
  private readonly failed: Array<CacheReport["failed"][number]> = []

  constructor(private readonly cache: Cache<any, any, any>) {
    this.startedAt = cache.timers.now()
  }

  /** Stops the intake at once; what is to be waited for is, in a fiber of its own. */
  start(): void {
    const { releases, runtime, state, teller } = this.cache
    releases.onReleased = ({ error, slot }) => {
      this.released++
      if (error !== undefined) this.failed.push({ id: slot.held!.id, key: slot.key, error })
    }
    teller.emit(() => ({ _tag: "Closing" }))
    this.refused = state.close()
    this.cache.counted()
    Seam.forkLater(runtime, this.finish)
  }

  /**
   * A fiber that waits for the report may use values, or be what looks up or releases one, or run inside of such. What a
   * fiber that it runs inside of has got for a scope is another thing: that fiber need not be waiting.
   */
  join(fiber: Seam.CurrentFiber): void {
    const { cache } = this
    for (const slot of cache.state.retired) {
      for (const hold of slot.held!.holds()) {
        if (hold.isScoped ? hold.fiber === fiber : Seam.isWithin(fiber, hold.fiber)) this.own.add(hold)
      }
    }
    for (const item of Seam.workOf(fiber)?.items() ?? []) {
      const isOurs = item instanceof Loading ? cache.state.running.has(item) : item.owner === cache
      if (isOurs) this.own.add(item)
    }
    cache.state.host.settled()
  }

  /** Nobody but who closes the cache uses the value. */
  private isOwn(slot: Slot<any, any, any>): boolean {
    const holds = slot.held!.holds()
    return this.own.has(slot) || (holds.length > 0 && holds.every((hold) => this.own.has(hold)))
  }

  /** Its release will come by itself: who closes the cache looks at it or uses it, and that ends, unlike a scope. */
  private endsByItself(slot: Slot<any, any, any>): boolean {
    return this.own.has(slot) || slot.held!.holds().some((hold) => this.own.has(hold) && !hold.isScoped)
  }

  /** Values that only who closes the cache uses. */
  private get held(): number {
    let held = 0
    for (const slot of this.cache.state.retired) if (this.isOwn(slot)) held++
    return held
  }

  /** Lookups and releases that the cache is closed from. */
  private get ownRunning(): number {
    let own = 0
    for (const item of this.own) {
      if (item instanceof Slot ? item.status === "releasing" : this.cache.state.running.has(item as AnyLoading)) own++
    }
    return own
  }

  private get running(): number {
    const { occupancy, running } = this.cache.state
    return running.size + occupancy.releasing - this.ownRunning
  }

  private get isQuiet(): boolean {
    return this.running === 0 && this.cache.state.retired.size === this.held
  }

  /** Waits until nothing is left, or the instant has come. */
  private quietBy(at: number): Effect.Effect<void> {
    const { onSettled, timers } = this.cache
    return Effect.async<void>((resume) => {
      const over = () => {
        onSettled.delete(look)
        timers.clear(deadline)
        resume(Effect.void)
      }
      const look = () => {
        if (this.isQuiet) over()
      }
      const deadline = makeDeadline(over)
      onSettled.add(look)
      timers.set(deadline, at)
      look()
    })
  }

  private readonly finish: Effect.Effect<void> = Effect.gen(this, function*() {
    const { lookups, options, releases, state, teller, timers } = this.cache
    const deadline = this.startedAt + options.closeTimeout
    yield* this.quietBy(deadline - forceMargin(options.closeTimeout))
    for (const loading of state.running) if (!this.own.has(loading)) lookups.cutOff(loading)
    for (const slot of state.retired) {
      if (this.endsByItself(slot)) continue
      this.reclaimed++
      state.reclaim(slot)
    }
    yield* this.quietBy(deadline)
    const isQuiet = this.isQuiet
    releases.onReleased = undefined
    this.cache.counted()
    teller.closed()
    yield* Deferred.succeed(this.report, {
      cache: options.name,
      durationMillis: timers.now() - this.startedAt,
      deadlineMillis: options.closeTimeout,
      deadlineReached: !isQuiet,
      refused: this.refused,
      reclaimed: this.reclaimed,
      released: this.released - this.failed.length,
      failed: this.failed,
      stillHeld: this.held + this.ownRunning,
      stillRunning: this.running
    })
  })
}
