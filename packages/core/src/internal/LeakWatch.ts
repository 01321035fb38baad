/**
 * Suspects a leak in what has been live for longer than a threshold. One timer, set for the oldest that is not suspected
 * yet, and none while there is no such resource.
 */
import * as Deadlines from "./Deadlines.js"
import { type Entry, infoOf } from "./Entry.js"
import * as Log from "./Log.js"
import type { Registry } from "./Registry.js"

export class LeakWatch {
  private readonly due = Deadlines.make(() => this.look())

  constructor(private readonly threshold: number, private readonly registry: Registry) {}

  registered(entry: Entry): void {
    if (this.threshold === Infinity || this.due.index !== -1) return
    this.registry.timers.set(this.due, entry.registeredAt + this.threshold)
  }

  gone(entry: Entry): void {
    if (this.threshold === Infinity) return
    if (this.registry.entries.size === 0) this.stop()
    if (!entry.leakSuspected) return
    const { registry } = this
    const ageMillis = registry.timers.now() - entry.registeredAt
    const outcome = entry.state as "cleaned" | "recovered" | "failed" | "abandoned" | "disarmed"
    Log.leakResolved(entry, ageMillis)
    registry.notify("LeakResolved", entry, { ageMillis, outcome })
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

  private suspect(entry: Entry, ageMillis: number): void {
    const { registry } = this
    entry.leakSuspected = true
    const { acquireStack, owner } = infoOf(entry)
    Log.leakSuspected(entry, ageMillis, acquireStack)
    registry.notify("LeakSuspected", entry, {
      ageMillis,
      owner,
      ...(acquireStack === undefined ? undefined : { acquireStack })
    })
  }
}
