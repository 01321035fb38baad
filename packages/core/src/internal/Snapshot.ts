/** Immutable readings of a registry, for people and for other programs. */
import type { CleanupPriority } from "../CleanupPriority.js"
import * as CleanupPriorities from "../CleanupPriority.js"
import type { CleanupRecord } from "../CleanupReport.js"
import type { ResourceId } from "../ResourceId.js"
import type { ResourceInfo } from "../ResourceInfo.js"
import type { Letter } from "./DeadLetters.js"
import { type Entry, type Holder, infoOf } from "./Entry.js"
import type { Registry } from "./Registry.js"

/** Somebody who borrows a resource. */
export interface HolderSnapshot {
  readonly fiberId: string
  readonly spanName?: string
  readonly heldMillis: number
}

/** A live resource. */
export interface ResourceSnapshot extends ResourceInfo {
  readonly state: "inUse" | "waiting" | "cleaning"
  readonly ageMillis: number
  /** For how long it has been in its state. */
  readonly stateMillis: number
  readonly holders: ReadonlyArray<HolderSnapshot>
  readonly leakSuspected: boolean
}

/** A resource whose acquire has not ended. */
export interface AcquiringSnapshot {
  readonly typeName: string
  readonly fiberId: string
  readonly spanName?: string
}

/** A cleanup that failed for good. */
export interface DeadLetter {
  readonly id: ResourceId
  readonly typeName: string
  readonly record: CleanupRecord
  /** Milliseconds since the epoch. */
  readonly failedAt: number
  /** Whether its release can be tried again: it failed, and its value is still kept. */
  readonly retryable: boolean
  /** It was abandoned, and has ended after all. */
  readonly finishedLate: boolean
  /** Where captured. */
  readonly acquireStack?: string
}

/** The accounts: `registered = live + cleaned + recovered + failed + abandoned + disarmed`. */
export interface RegistryAccounts {
  readonly registered: number
  /** `inUse + waiting + cleaning`. */
  readonly live: number
  readonly inUse: number
  readonly waiting: number
  readonly cleaning: number
  readonly cleaned: number
  readonly recovered: number
  readonly failed: number
  readonly abandoned: number
  readonly disarmed: number
}

/** Who holds what since when, what waits, what runs, what failed. */
export interface RegistrySnapshot {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly phase: "Running" | "Draining" | "Closed"
  readonly accounts: RegistryAccounts
  /** In the order they were registered. */
  readonly live: ReadonlyArray<ResourceSnapshot>
  readonly acquiring: ReadonlyArray<AcquiringSnapshot>
  /** Waiting in the queue, by priority. */
  readonly waiting: Readonly<Record<CleanupPriority, number>>
  readonly running: ReadonlyArray<CleanupRecord>
  /** Of what was let go and still runs. */
  readonly abandoned: ReadonlyArray<CleanupRecord>
  readonly deadLetters: ReadonlyArray<DeadLetter>
  readonly sizeBytes: number
}

/** A summary for a health check. */
export interface RegistryHealth {
  /** `degraded`: abandoned cleanups still run. */
  readonly status: "healthy" | "degraded" | "draining" | "closed"
  readonly live: number
  readonly waiting: number
  readonly running: number
  readonly acquiring: number
  /** Abandoned cleanups that still run. */
  readonly abandoned: number
  readonly deadLetters: number
  /** Events that the monitor was too slow for. */
  readonly droppedEvents: number
}

const spanNameOf = (span: Holder["span"]) => span?._tag === "Span" ? { spanName: span.name } : undefined

const holderOf = (holder: Holder, now: number): HolderSnapshot => ({
  fiberId: `#${holder.fiberId}`,
  ...spanNameOf(holder.span),
  heldMillis: Math.max(0, now - holder.since)
})

const resourceOf = (entry: Entry, now: number): ResourceSnapshot => ({
  ...infoOf(entry),
  state: entry.state as ResourceSnapshot["state"],
  ageMillis: Math.max(0, now - entry.registeredAt),
  stateMillis: Math.max(0, now - entry.since),
  holders: [...entry.holders ?? []].map((holder) => holderOf(holder, now)),
  leakSuspected: entry.leakSuspected
})

export const deadLetterOf = ({ acquireStack, entry, failedAt, finishedLate, record }: Letter): DeadLetter => ({
  id: record.id,
  typeName: record.typeName,
  record,
  failedAt,
  retryable: entry !== undefined && entry.state === "failed",
  finishedLate,
  ...(acquireStack === undefined ? undefined : { acquireStack })
})

export const accountsOf = (registry: Registry): RegistryAccounts => ({
  ...registry.accounts,
  ...registry.counts,
  live: registry.live
})

export const snapshotOf = (registry: Registry): RegistrySnapshot => {
  const now = registry.timers.now()
  const entries = [...registry.entries.values()]
  const waiting = Object.fromEntries(CleanupPriorities.values.map((priority) => [priority, 0])) as Record<
    CleanupPriority,
    number
  >
  for (const entry of entries) {
    if (entry.request !== undefined) waiting[CleanupPriorities.values[entry.request.band]!]++
  }
  return {
    at: registry.wallMillis(),
    phase: registry.phase,
    accounts: accountsOf(registry),
    live: entries.map((entry) => resourceOf(entry, now)),
    acquiring: [...registry.acquiring].map((entry) => ({
      typeName: entry.typeName,
      fiberId: `#${entry.fiberId}`,
      ...spanNameOf(entry.span)
    })),
    waiting,
    running: [...registry.running].map((run) => run.record()),
    abandoned: [...registry.orphans].map((run) => run.record()),
    deadLetters: registry.deadLetters.list().map(deadLetterOf),
    sizeBytes: entries.reduce((total, entry) => total + (entry.sizeBytes ?? 0), 0)
  }
}

export const healthOf = (registry: Registry): RegistryHealth => ({
  status: registry.phase === "Closed"
    ? "closed"
    : registry.phase === "Draining"
    ? "draining"
    : registry.orphans.size > 0
    ? "degraded"
    : "healthy",
  live: registry.live,
  waiting: registry.counts.waiting,
  running: registry.running.size,
  acquiring: registry.acquiring.size,
  abandoned: registry.orphans.size,
  deadLetters: registry.deadLetters.size,
  droppedEvents: registry.bus.dropped
})
