/** What a snapshot, a report and a line in the log say of a load that does not end. */
import { fiberNumber, spanOf } from "@patinox/core/kernel"
import type { Attempt } from "./state/Load.js"

/** A load that does not end, and how it can be found. */
export interface AbandonedLookup {
  readonly key: unknown
  readonly runningMillis: number
  readonly fiberId: string
  readonly spanName?: string
}

export const abandonedOf = ({ fiber, load, startedAt }: Attempt<any, any, any>, now: number): AbandonedLookup => {
  const span = fiber === undefined ? undefined : spanOf(fiber)
  return {
    key: load.key,
    runningMillis: now - startedAt,
    fiberId: fiber === undefined ? "none" : `#${fiberNumber(fiber)}`,
    ...(span?._tag === "Span" ? { spanName: span.name } : undefined)
  }
}
