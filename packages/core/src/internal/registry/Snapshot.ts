/**
 * Immutable readings of a registry, for people and for other programs. What a snapshot says is so at one moment: all that
 * may change is noted in one step, and only the records of it are made in turns, so that others have theirs in between.
 */
import { Effect } from "effect"
import type { CleanupPriority } from "../../CleanupPriority.js"
import * as CleanupPriorities from "../../CleanupPriority.js"
import type { CleanupRecord } from "../../CleanupReport.js"
import type { ResourceId } from "../../ResourceId.js"
import type { ResourceInfo } from "../../ResourceInfo.js"
import {
  type CleanupTarget,
  dependenciesOf,
  type Holder,
  noMetadata,
  ownerOf,
  withOptional
} from "../cleanup/CleanupTarget.js"
import * as Turns from "../effect3/Turns.js"
import type { liveStates, phases } from "../kernel/Vocabulary.js"
import type { Letter } from "./DeadLetters.js"
import type { Registry } from "./Registry.js"

/** How far a registry has come. */
export type RegistryPhase = (typeof phases)[number]

/** Where a live resource stands. */
type LiveState = (typeof liveStates)[number]

/** Somebody who borrows a resource. */
export interface HolderSnapshot {
  readonly fiberId: string
  readonly spanName?: string
  readonly heldMillis: number
}

/** A live resource. */
export interface ResourceSnapshot extends ResourceInfo {
  readonly state: LiveState
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
  readonly phase: RegistryPhase
  readonly accounts: RegistryAccounts
  /** In the order they were registered. */
  readonly live: ReadonlyArray<ResourceSnapshot>
  readonly acquiring: ReadonlyArray<AcquiringSnapshot>
  /** Waiting in the queue, by priority. */
  readonly waiting: Readonly<Record<CleanupPriority, number>>
  readonly running: ReadonlyArray<CleanupRecord>
  /** Of cleanups that were abandoned and still run. */
  readonly abandoned: ReadonlyArray<CleanupRecord>
  readonly deadLetters: ReadonlyArray<DeadLetter>
  readonly sizeBytes: number
}

/** Where a page of live resources ends. It may be given as text and back: the resource need not be there any more. */
export interface SnapshotPlace {
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly id: ResourceId
}

/** Which page of the live resources to read. */
export interface SnapshotPageOptions {
  /** How many at most: 1 to 10,000. */
  readonly limit: number
  /** The `next` of the page before; without it, from the start. */
  readonly after?: SnapshotPlace
}

/** A snapshot with so many of the live resources; all else is whole. */
export interface RegistrySnapshotPage extends RegistrySnapshot {
  /** In the order of creation, then of ids. */
  readonly live: ReadonlyArray<ResourceSnapshot>
  /** Where to go on, if there is more. */
  readonly next?: SnapshotPlace
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

const noHolders: ReadonlyArray<HolderSnapshot> = /* @__PURE__ */ Object.freeze([])

/** What of live resources may change, as it was at one moment. In columns: an object for each would take far longer. */
class Notes {
  readonly entries: ReadonlyArray<CleanupTarget>
  private readonly states: Array<CleanupTarget["state"]> = []
  private readonly since: Float64Array
  private readonly holders = new Map<CleanupTarget, ReadonlyArray<Holder>>()
  private readonly suspects = new Set<CleanupTarget>()

  constructor(chosen: Iterable<CleanupTarget>, private readonly now: number) {
    this.entries = [...chosen]
    this.since = new Float64Array(this.entries.length)
    for (let i = 0; i < this.entries.length; i++) {
      const entry = this.entries[i]!
      this.states.push(entry.state)
      this.since[i] = entry.since
      if (entry.leakSuspected) this.suspects.add(entry)
      if (entry.holders !== undefined) this.holders.set(entry, holdersOf(entry.holders))
    }
  }

  // The fields of `infoOf` once more: to spread that would cost the garbage collector more than all the rest.
  snapshotOf(index: number): ResourceSnapshot {
    const { now } = this
    const entry = this.entries[index]!
    return withOptional<ResourceSnapshot>({
      id: entry.id,
      typeName: entry.typeName,
      createdAt: entry.createdAt,
      priority: entry.priority,
      metadata: entry.metadata ?? noMetadata,
      dependencies: dependenciesOf(entry),
      owner: ownerOf(entry),
      state: this.states[index] as ResourceSnapshot["state"],
      ageMillis: Math.max(0, now - entry.registeredAt),
      stateMillis: Math.max(0, now - this.since[index]!),
      holders: this.holders.get(entry)?.map((holder) => holderOf(holder, now)) ?? noHolders,
      leakSuspected: this.suspects.has(entry)
    }, entry)
  }
}

// A holder may be a resource that is being acquired, and that notes another time once it is there.
const holdersOf = (holders: ReadonlySet<Holder>): ReadonlyArray<Holder> =>
  Array.from(holders, ({ fiberId, since, span }) => ({ fiberId, since, span }))

const holderOf = (holder: Holder, now: number): HolderSnapshot => ({
  fiberId: `#${holder.fiberId}`,
  ...spanNameOf(holder.span),
  heldMillis: Math.max(0, now - holder.since)
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

type Totals = Pick<RegistrySnapshot, "waiting" | "sizeBytes">

const totalsOf = (entries: Iterable<CleanupTarget>): Totals => {
  const waiting = Object.fromEntries(CleanupPriorities.values.map((priority) => [priority, 0])) as Record<
    CleanupPriority,
    number
  >
  let sizeBytes = 0
  for (const entry of entries) {
    if (entry.request !== undefined) waiting[CleanupPriorities.values[entry.request.band]!]++
    sizeBytes += entry.sizeBytes ?? 0
  }
  return { waiting, sizeBytes }
}

/** Far less than a millisecond. By number and not by time, so that it does not depend on the machine's load. */
const recordsInTurn = 250

/** Makes so many, and gives others a turn in between. */
const makeInTurns = <A>(count: number, make: (index: number) => A): Effect.Effect<ReadonlyArray<A>> =>
  Effect.suspend(() => {
    const made: Array<A> = []
    const go = (): Effect.Effect<ReadonlyArray<A>> => {
      const end = Math.min(made.length + recordsInTurn, count)
      while (made.length < end) made.push(make(made.length))
      return end === count ? Effect.succeed(made) : Effect.flatMap(Turns.nextTurn, go)
    }
    return go()
  })

/** Notes all in this step, of the live resources those that are chosen; the records of these are made in turns. */
const read = (registry: Registry, chosen: Iterable<CleanupTarget>): Effect.Effect<RegistrySnapshot> => {
  const notes = new Notes(chosen, registry.timers.now())
  const { sizeBytes, waiting } = totalsOf(registry.entries.values())
  const snapshot = {
    at: registry.wallMillis(),
    phase: registry.phase,
    accounts: accountsOf(registry),
    live: [],
    acquiring: Array.from(registry.acquiring, (entry) => ({
      typeName: entry.typeName,
      fiberId: `#${entry.fiberId}`,
      ...spanNameOf(entry.span)
    })),
    waiting,
    running: Array.from(registry.running, (run) => run.record()),
    abandoned: Array.from(registry.orphans, (run) => run.record()),
    deadLetters: registry.deadLetters.list().map(deadLetterOf),
    sizeBytes
  }
  const made = makeInTurns(notes.entries.length, (index) => notes.snapshotOf(index))
  return Effect.map(made, (live) => ({ ...snapshot, live }))
}

export const snapshotOf = (registry: Registry): Effect.Effect<RegistrySnapshot> =>
  Effect.suspend(() => read(registry, registry.entries.values()))

const comparePlaces = (a: SnapshotPlace, b: SnapshotPlace): number =>
  a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

/**
 * The first so many after a place, in the order of places. They come nearly in that order, unless the clock was set back,
 * so that most are known to be too late by one look.
 */
export const firstAfter = <A extends SnapshotPlace>(
  places: Iterable<A>,
  after: SnapshotPlace | undefined,
  count: number
): ReadonlyArray<A> => {
  const first: Array<A> = []
  for (const place of places) {
    if (after !== undefined && comparePlaces(place, after) <= 0) continue
    if (first.length === count && comparePlaces(place, first[count - 1]!) > 0) continue
    let at = 0
    for (let end = first.length; at < end;) {
      const middle = end === first.length ? end - 1 : (at + end) >> 1
      if (comparePlaces(first[middle]!, place) < 0) at = middle + 1
      else end = middle
    }
    first.splice(at, 0, place)
    if (first.length > count) first.pop()
  }
  return first
}

export const pageOf = (
  registry: Registry,
  { after, limit }: SnapshotPageOptions
): Effect.Effect<RegistrySnapshotPage> =>
  Effect.suspend(() => {
    const entries = firstAfter(registry.entries.values(), after, limit + 1)
    const last = entries.length > limit ? entries[limit - 1]! : undefined
    const next = last && { createdAt: last.createdAt, id: last.id }
    return Effect.map(
      read(registry, entries.slice(0, limit)),
      (snapshot) => next === undefined ? snapshot : { ...snapshot, next }
    )
  })

const healthIn = { Running: undefined, Draining: "draining", Closed: "closed" } as const

export const healthOf = (registry: Registry): RegistryHealth => ({
  status: healthIn[registry.phase] ?? (registry.orphans.size > 0 ? "degraded" : "healthy"),
  live: registry.live,
  waiting: registry.counts.waiting,
  running: registry.running.size,
  acquiring: registry.acquiring.size,
  abandoned: registry.orphans.size,
  deadLetters: registry.deadLetters.size,
  droppedEvents: registry.reporter.events.dropped
})
