/** What the events of any number of registries say about leaks. */
import type { ResourceEvent } from "@patinox/core"
import type { Leak } from "../LeakCheck.js"

type Event = ResourceEvent.ResourceEvent
type Registered = Extract<Event, { readonly _tag: "Registered" }> & { readonly acquireStack?: string }

interface Tracked {
  readonly registered: Registered
  endedAt: number | undefined
  /** How it ended, where that was not as it should. */
  fault: "abandoned" | "left" | undefined
}

export class LeakWatch {
  sawRegistry = false
  private readonly tracked: Array<Tracked> = []
  /** Registries for tests repeat the same ids: of equal ids the oldest ends first. */
  private readonly open = new Map<string, Array<Tracked>>()
  private draining = 0
  private at = 0

  seen(event: Event): void {
    this.sawRegistry = true
    this.at = event.at
    switch (event._tag) {
      case "Registered": {
        const tracked: Tracked = { registered: event, endedAt: undefined, fault: undefined }
        this.tracked.push(tracked)
        const same = this.open.get(event.id)
        if (same === undefined) this.open.set(event.id, [tracked])
        else same.push(tracked)
        return
      }
      case "Draining":
        this.draining++
        return
      case "Closed":
        this.draining--
        return
      case "Cleaned":
      case "Recovered":
      case "Failed":
      case "Disarmed":
      case "Abandoned": {
        const tracked = this.open.get(event.id)?.shift()
        // A dead letter that is retried has ended before.
        if (tracked === undefined) return
        tracked.endedAt = event.at
        tracked.fault = event._tag === "Abandoned" ? "abandoned" : this.wasLeft(event) ? "left" : undefined
      }
    }
  }

  private wasLeft(event: ResourceEvent.EndEvent): boolean {
    if (event._tag === "Disarmed") return false
    const { trigger } = event.record
    // What depends on something that a shutdown cleans up goes with it.
    return trigger === "shutdown" || (trigger === "cascade" && this.draining > 0)
  }

  leaks(allowShutdown: boolean): ReadonlyArray<Leak> {
    return this.tracked.flatMap(({ endedAt, fault, registered }) => {
      const state = endedAt === undefined ? "live" : fault
      if (state === undefined || (state === "left" && allowShutdown)) return []
      const { acquireStack, at, id, typeName } = registered
      return [{
        id,
        typeName,
        state,
        ageMillis: (endedAt ?? this.at) - at,
        ...(acquireStack === undefined ? undefined : { acquireStack })
      }]
    })
  }
}
