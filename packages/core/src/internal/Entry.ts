/**
 * One resource as the registry knows it: its value, its settings and where it stands. Plain state; who changes it is the
 * registry and the run that cleans it up.
 */
import { type Effect, Exit, type Scope, type Tracer } from "effect"
import type { CleanupPriority } from "../CleanupPriority.js"
import type { Outcome } from "../CleanupReport.js"
import type { RecoveryPolicy } from "../RecoveryPolicy.js"
import type { ResourceId } from "../ResourceId.js"
import type { ResourceInfo } from "../ResourceInfo.js"
import type { CallSite } from "./CallSite.js"
import type { CleanupRun } from "./CleanupRun.js"
import type { QueuedCleanup } from "./Dispatcher.js"
import * as Seam from "./Seam.js"

export type AnyRelease = (resource: any, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, any, any>
export type AnyPolicy = RecoveryPolicy<any, any, any, any>

/** How a guard is cleaned up, with every default filled in: shared by the guards that set nothing. In milliseconds. */
export interface Settings {
  readonly timeout: number
  readonly attemptTimeout: number
  readonly interruptible: boolean
  readonly recovery: AnyPolicy
  readonly hasFallback: boolean
  readonly onFailure: "log" | "die"
  readonly close: "wait" | "background"
  /** When it is told of as slow; `undefined` where whoever runs it says so. */
  readonly slowAfter?: number | undefined
}

/** `acquiring` before it counts; then `inUse`, `waiting` in the registry's queue, `cleaning`; then its one outcome. */
export type State = "acquiring" | "inUse" | "waiting" | "cleaning" | Outcome

/** Somebody who borrows the resource: a `use` of the guard, or (the entry itself) the acquire of a dependent. */
export interface Holder {
  readonly fiber?: Seam.CurrentFiber
  readonly fiberId: number
  readonly since: number
  readonly span: Tracer.AnySpan | undefined
}

export class Entry {
  state: State = "acquiring"
  value: unknown
  createdAt = 0
  /** When it came into its state, and when it was registered; monotonic. */
  since = 0
  registeredAt = 0
  scope: Scope.Scope | undefined
  run: CleanupRun | undefined
  request: QueuedCleanup | undefined
  holders: Set<Holder> | undefined
  dependencies: ReadonlyArray<Entry> | undefined
  dependents: Set<Entry> | undefined
  /** Who is told of its end. */
  private watchers: (() => void) | Set<() => void> | undefined = undefined
  /** The cleanup inside of which this was acquired while the registry was draining. */
  within: CleanupRun | undefined
  acquireSpan: Tracer.AnySpan | undefined
  tagKey: string | undefined
  /** While it is being acquired: what it takes the place of, as `refreshable` does. */
  replaces: Entry | undefined
  leakSuspected = false
  /** Its name is that of a span, of which there may be any number. */
  isSpanNamed = false
  /** The nearest deadline of a close of many that includes it; monotonic. */
  deadline = Infinity
  /** The exit of its scope, where that handed the cleanup over instead of waiting. */
  exit: Exit.Exit<unknown, unknown> = Exit.void
  /** The number of the fiber that acquired it; -1 where there is none. */
  readonly fiberId: number
  /** The rest of that fiber's id. The id itself would be one object more for each resource. */
  private readonly fiberSince: number

  constructor(
    public id: ResourceId,
    private readonly named: string | undefined,
    private readonly site: CallSite | undefined,
    readonly settings: Settings,
    readonly priority: CleanupPriority,
    readonly sizeBytes: number | undefined,
    readonly metadata: Readonly<Record<string, string>> | undefined,
    readonly release: AnyRelease,
    /** Of the acquire, as it left them. */
    public origin: Seam.Origin,
    owner: Seam.Id | undefined,
    readonly span: Tracer.AnySpan | undefined
  ) {
    this.fiberId = owner?.id ?? -1
    this.fiberSince = owner === undefined ? 0 : Seam.sinceOf(owner)
  }

  get typeName(): string {
    return this.named ?? this.site?.name ?? "resource"
  }

  /** The fiber that acquired it. */
  get owner(): Seam.Id | undefined {
    return this.fiberId === -1 ? undefined : Seam.idOf(this.fiberId, this.fiberSince)
  }

  get stack(): string | undefined {
    return this.site?.stack
  }

  get isLive(): boolean {
    return this.state === "inUse" || this.state === "waiting" || this.state === "cleaning"
  }

  /** Neither being acquired nor cleaned up nor gone: can be borrowed, disarmed, transferred. */
  get isUsable(): boolean {
    return this.state === "inUse" || this.state === "waiting"
  }

  /** Gives how to stop watching. */
  watch(onEnd: () => void): () => void {
    const { watchers } = this
    if (watchers === undefined) this.watchers = onEnd
    else if (typeof watchers === "function") this.watchers = new Set([watchers, onEnd])
    else watchers.add(onEnd)
    return () => {
      if (this.watchers === onEnd) this.watchers = undefined
      else if (typeof this.watchers === "object") this.watchers.delete(onEnd)
    }
  }

  /** Tells its end to who watches. */
  ended(): void {
    const { watchers } = this
    this.watchers = undefined
    if (typeof watchers === "function") watchers()
    else for (const watcher of watchers ?? []) watcher()
  }

  hold(holder: Holder): void {
    if (this.holders === undefined) this.holders = new Set()
    this.holders.add(holder)
  }

  letGo(holder: Holder): void {
    this.holders?.delete(holder)
    if (this.holders?.size === 0) this.holders = undefined
    this.run?.holderLeft()
  }
}

/** What log lines and spans about it carry. */
export const attributesOf = (entry: Entry): Record<string, unknown> => ({
  "patinox.resource.id": entry.id,
  "patinox.resource.type": entry.typeName
})

export const infoOf = (entry: Entry): ResourceInfo => {
  const { metadata, priority, sizeBytes, span } = entry
  const stack = entry.stack
  return {
    id: entry.id,
    typeName: entry.typeName,
    createdAt: entry.createdAt,
    priority,
    metadata: metadata ?? {},
    dependencies: (entry.dependencies ?? []).map((dependency) => dependency.id),
    owner: {
      fiberId: `#${entry.fiberId}`,
      ...(span === undefined ? undefined : { spanId: span.spanId }),
      ...(span === undefined || span._tag !== "Span" ? undefined : { spanName: span.name })
    },
    ...(sizeBytes === undefined ? undefined : { sizeBytes }),
    ...(stack === undefined ? undefined : { acquireStack: stack })
  }
}
