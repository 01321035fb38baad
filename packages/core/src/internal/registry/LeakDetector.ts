/**
 * Suspects a leak in what has been live for longer than a threshold. One timer, set for the oldest that is not suspected
 * yet, and none while there is no such resource.
 */
import type { Outcome } from "../../CleanupReport.js"
import * as Log from "../cleanup/CleanupLog.js"
import { type CleanupTarget, infoOf } from "../cleanup/CleanupTarget.js"
import * as DeadlineHeap from "../kernel/DeadlineHeap.js"
import type { Registry } from "./Registry.js"

export class LeakDetector {
  private readonly due = DeadlineHeap.make(() => this.look())

  constructor(private readonly threshold: number, private readonly registry: Registry) {}

  registered(entry: CleanupTarget): void {
    if (this.threshold === Infinity || this.due.index !== -1) return
    this.registry.timers.set(this.due, entry.registeredAt + this.threshold)
  }

  gone(entry: CleanupTarget): void {
    if (this.threshold === Infinity) return
    if (this.registry.entries.size === 0) this.stop()
    if (!entry.leakSuspected) return
    const { reporter, timers } = this.registry
    const ageMillis = timers.now() - entry.registeredAt
    Log.leakResolved(entry, ageMillis)
    reporter.notify("LeakResolved", entry, { ageMillis, outcome: entry.state as Outcome })
  }

  stop(): void {
    this.registry.timers.clear(this.due)
  }

  private look(): void {
    const { registry } = this
    const now = registry.timers.now()
    // In the order they were registered, so the first that is young enough is due next.
    for (const entry of registry.entries.values()) {
      if (entry.leakSuspected || !entry.isUsable) continue
      const at = entry.registeredAt + this.threshold
      if (at > now + 0.5) {
        registry.timers.set(this.due, at)
        return
      }
      this.suspect(entry, now - entry.registeredAt)
    }
  }

  private suspect(entry: CleanupTarget, ageMillis: number): void {
    const { registry } = this
    entry.leakSuspected = true
    const { acquireStack, owner } = infoOf(entry)
    Log.leakSuspected(entry, ageMillis, acquireStack)
    registry.reporter.notify("LeakSuspected", entry, {
      ageMillis,
      owner,
      ...(acquireStack === undefined ? undefined : { acquireStack })
    })
  }
}
