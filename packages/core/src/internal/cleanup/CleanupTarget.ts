/**
 * One resource as the registry knows it: its value, its settings and where it stands. Plain state; who changes it is the
 * registry and the run that cleans it up.
 */
import { Effect, Exit, type Scope, type Tracer } from "effect"
import { AlreadyCleanedUp } from "../../CleanupError.js"
import { type CleanupPriority, defaultPriority } from "../../CleanupPriority.js"
import type { Outcome } from "../../CleanupReport.js"
import type { RecoveryPolicy } from "../../RecoveryPolicy.js"
import type { ResourceId } from "../../ResourceId.js"
import type { ResourceInfo } from "../../ResourceInfo.js"
import * as Fibers from "../effect3/Fibers.js"
import type * as Refs from "../effect3/Refs.js"
import type { CallSite } from "../kernel/CallSite.js"
import type { liveStates } from "../kernel/Vocabulary.js"
import type { QueuedCleanup } from "../registry/Dispatcher.js"
import type { CleanupRun } from "./CleanupRun.js"

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
  /** When it is reported as slow; `undefined` where whoever runs it says so. */
  readonly slowAfter?: number | undefined
}

/** How a cleanup can end; a resource that is disarmed has none. */
export type CleanupOutcome = Exclude<Outcome, "disarmed">

/** `acquiring` before it counts; then `inUse`, `waiting` in the registry's queue, `cleaning`; then its one outcome. */
export type State = "acquiring" | (typeof liveStates)[number] | Outcome

/** Somebody who borrows the resource: a `use` of the guard, or (the entry itself) the acquire of a dependent. */
export interface Holder {
  readonly fiber?: Fibers.CurrentFiber
  readonly fiberId: number
  readonly since: number
  readonly span: Tracer.AnySpan | undefined
}

/** What a guard's options say of a resource. */
export interface TargetOptions {
  readonly settings: Settings
  readonly priority?: CleanupPriority | undefined
  readonly sizeBytes?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Where a resource comes from, and how it is released. */
export interface TargetSource {
  readonly release?: AnyRelease
  /** What the acquiring fiber had set, and then what the acquire has set. */
  readonly origin: Refs.Origin
  /** The fiber that acquires it. */
  readonly owner?: Fibers.Id
  readonly span?: Tracer.AnySpan | undefined
  readonly site?: CallSite | undefined
}

const noRelease: AnyRelease = () => Effect.void

export class CleanupTarget {
  origin: Refs.Origin
  readonly settings: Settings
  readonly priority: CleanupPriority
  readonly sizeBytes: number | undefined
  readonly metadata: Readonly<Record<string, string>> | undefined
  readonly release: AnyRelease
  readonly span: Tracer.AnySpan | undefined
  private readonly site: CallSite | undefined
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
  dependencies: ReadonlyArray<CleanupTarget> | undefined
  dependents: Set<CleanupTarget> | undefined
  /** Called at its end. */
  private watchers: (() => void) | Set<() => void> | undefined = undefined
  /** The cleanup inside of which this was acquired while the registry was draining. */
  within: CleanupRun | undefined
  acquireSpan: Tracer.AnySpan | undefined
  tagKey: string | undefined
  leakSuspected = false
  /** Its name is that of a span, of which there may be any number. */
  isSpanName = false
  /** The nearest deadline of a close of many that includes it; monotonic. No `Infinity`, which takes room of its own. */
  deadline: number | undefined = undefined
  /** The exit of its scope, where that handed the cleanup over instead of waiting. */
  exit: Exit.Exit<unknown, unknown> = Exit.void
  /** The number of the fiber that acquired it; -1 where there is none. */
  readonly fiberId: number
  /** The rest of that fiber's id. The id itself would be one object more for each resource. */
  private readonly fiberSince: number

  /** Without a name it is called by the place of its call. */
  constructor(
    public id: ResourceId,
    private readonly name: string | undefined,
    { metadata, priority = defaultPriority, settings, sizeBytes }: TargetOptions,
    { origin, owner, release = noRelease, site, span }: TargetSource
  ) {
    this.settings = settings
    this.priority = priority
    this.sizeBytes = sizeBytes
    this.metadata = metadata
    this.release = release
    this.origin = origin
    this.span = span
    this.site = site
    this.fiberId = Fibers.numberOf(owner)
    this.fiberSince = owner === undefined ? 0 : Fibers.sinceOf(owner)
  }

  get typeName(): string {
    return this.name ?? this.site?.name ?? "resource"
  }

  /** The fiber that acquired it. */
  get owner(): Fibers.Id | undefined {
    return this.fiberId === -1 ? undefined : Fibers.idOf(this.fiberId, this.fiberSince)
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

  limitTo(deadline: number): void {
    this.deadline = Math.min(this.deadline ?? Infinity, deadline)
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

  /** Calls those that watch its end. */
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

  endHold(holder: Holder): void {
    this.holders?.delete(holder)
    if (this.holders?.size === 0) this.holders = undefined
    this.run?.holderLeft()
  }
}

/** The error of a call that comes too late for a target. */
export const gone = ({ id, typeName }: { readonly id: ResourceId; readonly typeName: string }): AlreadyCleanedUp =>
  new AlreadyCleanedUp({ id, typeName })

/** What log lines and spans about it carry. */
export const attributesOf = (entry: CleanupTarget): Record<string, unknown> => ({
  "patinox.resource.id": entry.id,
  "patinox.resource.type": entry.typeName
})

export const noMetadata: Readonly<Record<string, string>> = /* @__PURE__ */ Object.freeze({})
const noDependencies: ReadonlyArray<ResourceId> = /* @__PURE__ */ Object.freeze([])

export const ownerOf = ({ fiberId: number, span }: CleanupTarget): ResourceInfo["owner"] => {
  const fiberId = `#${number}`
  if (span === undefined) return { fiberId }
  const { spanId } = span
  return span._tag === "Span" ? { fiberId, spanId, spanName: span.name } : { fiberId, spanId }
}

export const dependenciesOf = ({ dependencies }: CleanupTarget): ReadonlyArray<ResourceId> =>
  dependencies === undefined ? noDependencies : dependencies.map((dependency) => dependency.id)

type Optional = { -readonly [Key in "sizeBytes" | "acquireStack"]?: ResourceInfo[Key] }

/** Adds what only some have. Spreading would make several objects more for each resource. */
export const withOptional = <A extends Optional>(info: A, entry: CleanupTarget): A => {
  const { sizeBytes, stack } = entry
  if (sizeBytes !== undefined) info.sizeBytes = sizeBytes
  if (stack !== undefined) info.acquireStack = stack
  return info
}

export const infoOf = (entry: CleanupTarget): ResourceInfo =>
  withOptional<ResourceInfo>({
    id: entry.id,
    typeName: entry.typeName,
    createdAt: entry.createdAt,
    priority: entry.priority,
    metadata: entry.metadata ?? noMetadata,
    dependencies: dependenciesOf(entry),
    owner: ownerOf(entry)
  }, entry)
