/**
 * Who watches a registry: monitors that are given events, and those that only count. A registry counts by itself, so that
 * no event is made for that; what it counts with comes with the monitor, and is no part of an application without it.
 */
import { Effect } from "effect"
import type { ResourceEvent } from "../../ResourceEvent.js"
import type { ResourceMonitor } from "../../ResourceMonitor.js"
import type * as Refs from "../effect3/Refs.js"
import type { RegistryMetrics } from "./RegistryMetrics.js"

/** A monitor that counts and does nothing else. */
export interface CountingMonitor extends ResourceMonitor {
  /** For one registry, with the labels that the application gives to all its metrics. */
  readonly countsFor: (origin: Refs.Origin) => RegistryMetrics
}

const isCounting = (monitor: ResourceMonitor): monitor is CountingMonitor => "countsFor" in monitor

/** Several monitors as one: each sees every event, whatever the others do with it. */
export class Monitors implements ResourceMonitor {
  constructor(readonly parts: ReadonlyArray<ResourceMonitor>) {}

  readonly onEvent = (event: ResourceEvent): Effect.Effect<void> =>
    Effect.forEach(this.parts, (monitor) => Effect.exit(Effect.suspend(() => monitor.onEvent(event))), {
      discard: true
    })
}

/** The one that counts, and who else watches. */
export const split = (
  monitor: ResourceMonitor
): { readonly counting: CountingMonitor | undefined; readonly others: ResourceMonitor | undefined } => {
  const parts = monitor instanceof Monitors ? monitor.parts : [monitor]
  const others = parts.filter((part) => !isCounting(part))
  return {
    counting: parts.find(isCounting),
    others: others.length === parts.length ? monitor : others.length <= 1 ? others[0] : new Monitors(others)
  }
}
