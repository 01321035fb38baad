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
import type { Origin } from "./Seam.js"

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
}

/** `acquiring` before it counts; then `inUse`, `waiting` in the registry's queue, `cleaning`; then its one outcome. */
export type State = "acquiring" | "inUse" | "waiting" | "cleaning" | Outcome

/** Somebody who borrows the resource: a `use` of the guard, or (the entry itself) the acquire of a dependent. */
export interface Holder {
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
  watchers: Array<() => void> | undefined = undefined
  /** The cleanup inside of which this was acquired while the registry was draining. */
  within: CleanupRun | undefined
  acquireSpan: Tracer.AnySpan | undefined
  tagKey: string | undefined
  leakSuspected = false
  /** The nearest deadline of a close of many that includes it; monotonic. */
  deadline = Infinity
  /** The exit of its scope, where that handed the cleanup over instead of waiting. */
  exit: Exit.Exit<unknown, unknown> = Exit.void

  constructor(
    readonly id: ResourceId,
    private readonly named: string | undefined,
    private readonly site: CallSite | undefined,
    readonly settings: Settings,
    readonly priority: CleanupPriority,
    readonly sizeBytes: number | undefined,
    readonly metadata: Readonly<Record<string, string>> | undefined,
    readonly release: AnyRelease,
    readonly origin: Origin,
    readonly fiberId: number,
    readonly span: Tracer.AnySpan | undefined
  ) {}

  get typeName(): string {
    return this.named ?? this.site?.name ?? "resource"
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

  watch(onEnd: () => void): void {
    if (this.watchers === undefined) this.watchers = [onEnd]
    else this.watchers.push(onEnd)
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
