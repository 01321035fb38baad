/** Reports what happens in a pool: as events to its listeners, and as log lines where a person should look. */
import { type AppRuntime, EventHub, forkLater, Text, type Timers, UserFunction, wallMillis } from "@patinox/core/kernel"
import { Cause, Effect } from "effect"
import type { PoolCounts } from "../PoolError.js"
import type { PoolEvent } from "../PoolEvent.js"
import type { Item } from "./Item.js"
import type { LeaseHandle } from "./Lease.js"
import type { CircuitBreaker } from "./state/CircuitBreaker.js"
import type { ItemOperation } from "./state/Vocabulary.js"

type Reported = PoolEvent extends infer Event ? Event extends PoolEvent ? Omit<Event, "at" | "pool"> : never : never

/** In milliseconds. */
const slowLineEvery = 5_000

export class PoolReporter {
  private readonly hub = new EventHub<PoolEvent>(({ _tag }) => _tag === "Closed")
  readonly stream = this.hub.stream
  private slowReportedAt = -Infinity
  private slowUnreported = 0

  constructor(
    private readonly pool: string,
    private readonly runtime: AppRuntime<never>,
    private readonly timers: Timers,
    /** Where the pools of all keys report together. */
    private readonly shared: EventHub<PoolEvent> | undefined
  ) {}

  /** The event is made only where there is a listener. Reporting never throws. */
  emit(make: () => Reported): void {
    if (!this.hub.hasSubscribers && this.shared?.hasSubscribers !== true) return
    const event = UserFunction.call(
      () => ({ ...make(), at: wallMillis(this.timers.clock), pool: this.pool }) as PoolEvent | undefined,
      () => undefined
    )
    if (event === undefined) return
    this.hub.emit(() => event)
    this.shared?.emit(() => event)
  }

  closed(): void {
    this.emit(() => ({ _tag: "Closed" }))
    this.hub.end()
  }

  private warn(message: string, details?: Record<string, unknown>): void {
    this.log(Effect.logWarning(message), details)
  }

  private inform(message: string, details?: Record<string, unknown>): void {
    this.log(Effect.logInfo(message), details)
  }

  private log(line: Effect.Effect<void>, details: Record<string, unknown> = {}): void {
    forkLater(this.runtime, Effect.annotateLogs(line, { "patinox.pool": this.pool, ...details }))
  }

  creationFailed(cause: Cause.Cause<unknown>, { failures, isOpen, limits }: CircuitBreaker): void {
    if (failures === 1 || failures === limits.failFastAfter) {
      const then = isOpen ? "borrowers fail at once from now on, unless an item is in use" : "trying again"
      this.warn(`Pool ${this.pool}: creating an item failed (${reasonOf(cause)}); ${then}`)
    }
    this.emit(() => ({ _tag: "CreationFailed", cause, failures, isOpen }))
  }

  circuitClosed(failures: number, openMillis: number): void {
    const since = `after ${Text.count(failures, "failure")} in ${Text.duration(openMillis)}`
    this.inform(`Pool ${this.pool}: created an item ${since}; borrowers wait for items again`)
    this.emit(() => ({ _tag: "CircuitClosed", failures, openMillis }))
  }

  itemFailed(item: Item<unknown>, operation: ItemOperation, cause: Cause.Cause<unknown>): void {
    this.warn(`Pool ${this.pool}: ${operation} failed (${reasonOf(cause)}); destroying the item`, idOf(item))
    this.emit(() => ({ _tag: "ItemFailed", id: item.id, operation, cause }))
  }

  /** Where a crowd waits, one line speaks for all of it. */
  slowBorrow(waitedMillis: number, { idle, inUse, total, waiting }: PoolCounts): void {
    this.emit(() => ({ _tag: "SlowBorrow", waitedMillis }))
    const now = this.timers.now()
    if (now < this.slowReportedAt + slowLineEvery) {
      this.slowUnreported++
      return
    }
    const counts = `total ${total}, idle ${idle}, in use ${inUse}, waiting ${waiting}`
    const others = this.slowUnreported === 0 ? "" : `, as have ${this.slowUnreported} others since the last such line`
    this.slowReportedAt = now
    this.slowUnreported = 0
    this.warn(`Pool ${this.pool}: a borrower has waited for ${Text.duration(waitedMillis)}${others} (${counts})`)
  }

  leakSuspected(lease: LeaseHandle<any>): void {
    const holder = this.holderOf(lease)
    const stack = holder.stack === undefined ? "" : `\n${holder.stack}`
    const held = Text.duration(holder.heldMillis)
    this.warn(
      `Pool ${this.pool}: ${nameOf(holder)} has held an item for ${held}, which may have leaked${stack}`,
      idOf(lease.item)
    )
    this.emit(() => ({ _tag: "LeakSuspected", ...holder }))
  }

  leakResolved(lease: LeaseHandle<any>): void {
    const holder = this.holderOf(lease)
    const held = Text.duration(holder.heldMillis)
    this.inform(
      `Pool ${this.pool}: ${nameOf(holder)} returned its item after ${held}; it had not leaked`,
      idOf(lease.item)
    )
    this.emit(() => ({ _tag: "LeakResolved", ...holder }))
  }

  leaseExpired(lease: LeaseHandle<any>, isReclaimed: boolean): void {
    const holder = this.holderOf(lease)
    const held = Text.duration(holder.heldMillis)
    const then = isReclaimed ? "destroying the item" : "its holder keeps the item"
    this.warn(`Pool ${this.pool}: the lease of ${nameOf(holder)} expired after ${held}; ${then}`, idOf(lease.item))
    this.emit(() => ({ _tag: "LeaseExpired", ...holder, isReclaimed }))
  }

  private holderOf(lease: LeaseHandle<any>) {
    return lease.holder(this.timers.now())
  }
}

const reasonOf = (cause: Cause.Cause<unknown>): string => Text.line(Text.unknown(Cause.squash(cause)))

const idOf = (item: Item<unknown>) => ({ "patinox.resource.id": item.id })

const nameOf = (holder: { readonly fiberId: string; readonly spanName?: string }): string =>
  holder.spanName === undefined ? `fiber ${holder.fiberId}` : `fiber ${holder.fiberId} in span ${holder.spanName}`
