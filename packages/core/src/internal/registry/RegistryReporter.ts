/**
 * Reports what happens in a registry: to its metrics, and as events to who watches. An event is made only where somebody
 * sees it; metrics alone need none. Nothing that a watcher does reaches the registry.
 */
import type { Clock } from "effect"
import * as CleanupPriority from "../../CleanupPriority.js"
import type { CleanupReport } from "../../CleanupReport.js"
import type { ResourceEvent } from "../../ResourceEvent.js"
import type { CleanupRun } from "../cleanup/CleanupRun.js"
import { type CleanupOutcome, type CleanupTarget, withOptional } from "../cleanup/CleanupTarget.js"
import * as Clocks from "../effect3/Clocks.js"
import type { QueuedCleanup } from "./Dispatcher.js"
import type { MonitorQueue, What } from "./MonitorQueue.js"
import type { RegistryMetrics } from "./RegistryMetrics.js"

const endTag = (outcome: CleanupOutcome) => (outcome[0]!.toUpperCase() + outcome.slice(1)) as Capitalize<CleanupOutcome>

export class RegistryReporter {
  constructor(
    readonly events: MonitorQueue,
    private readonly metrics: RegistryMetrics | undefined,
    private readonly clock: Clock.Clock
  ) {}

  /** Whether anything that happens is reported: to metrics, a monitor or a subscriber. */
  get observed(): boolean {
    return this.metrics !== undefined || this.events.observed
  }

  notify<Tag extends ResourceEvent["_tag"]>(
    _tag: Tag,
    entry: CleanupTarget,
    what: What<Tag> & { readonly priority?: CleanupPriority.CleanupPriority }
  ): void {
    if (!this.observed) return
    const { id, isSpanName, priority, typeName } = entry
    const event = { _tag, at: this.now(), id, typeName, priority, ...what, ...(isSpanName && { isSpanName }) }
    this.metrics?.onEvent(event as unknown as ResourceEvent)
    this.events.emit(event as unknown as ResourceEvent)
  }

  registered(entry: CleanupTarget): void {
    if (!this.events.observed) return this.metrics?.registered(entry)
    this.notify("Registered", entry, withOptional({}, entry))
  }

  scheduled(request: QueuedCleanup): void {
    if (request.trigger === "retried" || request.state === "skipped") return
    // The priority it waits with, which its request may have changed.
    this.notify("Scheduled", request.entry, {
      trigger: request.trigger,
      priority: CleanupPriority.values[request.band] as CleanupPriority.CleanupPriority
    })
  }

  started(run: CleanupRun): void {
    if (!this.observed) return
    const { entry, forced, trigger } = run
    const waitMillis = Math.max(0, run.startedAt - run.requestedAt)
    if (!this.events.observed) return this.metrics?.started(entry, waitMillis)
    this.notify("Started", entry, { trigger, waitMillis, forced, attempt: 1 })
  }

  ended(run: CleanupRun): void {
    if (!this.observed) return
    const { entry, ranMillis: runMillis, trigger } = run
    const outcome = run.outcome!
    // A dead letter that fails again has had its end.
    if (trigger === "retried" && outcome === "failed") return
    if (this.events.observed) return this.notify(endTag(outcome), entry, { record: run.record() })
    this.metrics?.ended(entry, { outcome, runMillis, trigger })
  }

  draining(deadlineMillis: number, live: number): void {
    if (this.events.observed) this.events.emit({ _tag: "Draining", at: this.now(), deadlineMillis, live })
  }

  /** The last event. */
  closed(report: () => CleanupReport): void {
    if (this.events.observed) this.events.emit({ _tag: "Closed", at: this.now(), report: report() })
    this.events.close()
  }

  private now(): number {
    return Clocks.wallMillis(this.clock)
  }
}
