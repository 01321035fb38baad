/**
 * What a registry reports about its resources as it happens: plain records, told apart by `_tag`, each with the time
 * (`at`, in milliseconds since the epoch) and, but for the last two, the resource. Every registered resource has
 * exactly one end event: `Cleaned`, `Recovered`, `Failed`, `Abandoned` or `Disarmed`; a dead letter that is retried
 * with success has a `Recovered` after its `Failed`.
 */
import type { CleanupError } from "./CleanupError.js"
import type { CleanupPriority } from "./CleanupPriority.js"
import type { CleanupRecord, CleanupReport, Outcome, Trigger } from "./CleanupReport.js"
import { summary } from "./CleanupReport.js"
import * as Text from "./internal/kernel/Text.js"
import type { ResourceId } from "./ResourceId.js"
import type { Owner } from "./ResourceInfo.js"

interface Event<Tag extends string> {
  readonly _tag: Tag
  readonly at: number
}

interface OfResource<Tag extends string> extends Event<Tag> {
  readonly id: ResourceId
  readonly typeName: string
  /** The type name is that of the span it was acquired in, of which there may be any number: no label for metrics. */
  readonly isSpanName?: true
  readonly priority: CleanupPriority
}

interface End<Tag extends string> extends OfResource<Tag> {
  readonly record: CleanupRecord
}

/** It is acquired and tracked. */
export interface Registered extends OfResource<"Registered"> {
  readonly sizeBytes?: number
  /** Where captured. */
  readonly acquireStack?: string
}

/** Its cleanup waits in the registry, with the priority that its request gave it. */
export interface Scheduled extends OfResource<"Scheduled"> {
  readonly trigger: Trigger
}

/** It no longer waits: the cleanup was taken back. */
export interface Unscheduled extends OfResource<"Unscheduled"> {}

/** Its release was called for the first time. */
export interface Started extends OfResource<"Started"> {
  readonly trigger: Trigger
  readonly waitMillis: number
  readonly forced: boolean
  readonly attempt: 1
}

/** Its cleanup has run longer than `slowAfter`. */
export interface Slow extends OfResource<"Slow"> {
  readonly runMillis: number
}

/** An attempt failed; this one comes after a pause. */
export interface Retried extends OfResource<"Retried"> {
  readonly attempt: number
  readonly delayMillis: number
  readonly error: CleanupError<unknown>
}

/** The release failed and the fallback is run. */
export interface FellBack extends OfResource<"FellBack"> {
  readonly error: CleanupError<unknown>
}

/** The release succeeded at the first attempt. */
export interface Cleaned extends End<"Cleaned"> {}

/** A later attempt or the fallback succeeded. */
export interface Recovered extends End<"Recovered"> {}

/** It failed for good. */
export interface Failed extends End<"Failed"> {}

/** It did not stop in time and was abandoned. */
export interface Abandoned extends End<"Abandoned"> {}

/** An abandoned cleanup has ended after all. */
export interface FinishedLate extends OfResource<"FinishedLate"> {}

/** The value was taken out; no cleanup will run. */
export interface Disarmed extends OfResource<"Disarmed"> {}

/** It has been live for longer than `leakThreshold`. */
export interface LeakSuspected extends OfResource<"LeakSuspected"> {
  readonly ageMillis: number
  readonly owner: Owner
  readonly acquireStack?: string
}

/** A suspect has ended. */
export interface LeakResolved extends OfResource<"LeakResolved"> {
  readonly ageMillis: number
  readonly outcome: Outcome
}

/** The registry takes in no more. */
export interface Draining extends Event<"Draining"> {
  readonly deadlineMillis: number
  readonly live: number
}

/** The registry has shut down. */
export interface Closed extends Event<"Closed"> {
  readonly report: CleanupReport
}

/** Any event. */
export type ResourceEvent =
  | Registered
  | Scheduled
  | Unscheduled
  | Started
  | Slow
  | Retried
  | FellBack
  | Cleaned
  | Recovered
  | Failed
  | Abandoned
  | FinishedLate
  | Disarmed
  | LeakSuspected
  | LeakResolved
  | Draining
  | Closed

/** An event that says how a resource ended. */
export type EndEvent = Cleaned | Recovered | Failed | Abandoned | Disarmed

// The line names the resource already.
const reason = (error: CleanupError<unknown>): string =>
  error.message.replace(`Cleanup of ${Text.resource(error)} `, "")

const ended = ({ record }: Cleaned | Recovered | Failed | Abandoned): string =>
  `${record.outcome}${record.usedFallback && record.outcome === "recovered" ? " by its fallback" : ""} after ${
    Text.duration(record.runMillis)
  }${
    record.error !== undefined
      ? `: ${reason(record.error)}`
      : record.attempts > 1
      ? ` and ${Text.count(record.attempts, "attempt")}`
      : ""
  }`

const wordings: { readonly [Tag in ResourceEvent["_tag"]]: (event: Extract<ResourceEvent, Event<Tag>>) => string } = {
  Registered: (event) => `registered${event.sizeBytes === undefined ? "" : `, ${event.sizeBytes} bytes`}`,
  Scheduled: (event) => `waits for cleanup (${event.trigger})`,
  Unscheduled: () => "no longer waits for cleanup",
  Started: (event) =>
    `cleanup started (${event.trigger}${event.forced ? ", forced" : ""}) after waiting ${
      Text.duration(event.waitMillis)
    }`,
  Slow: (event) => `cleanup is slow: running for ${Text.duration(event.runMillis)}`,
  Retried: (event) => `attempt ${event.attempt} in ${Text.duration(event.delayMillis)}: ${reason(event.error)}`,
  FellBack: (event) => `falls back: ${reason(event.error)}`,
  Cleaned: ended,
  Recovered: ended,
  Failed: ended,
  Abandoned: ended,
  FinishedLate: () => "abandoned cleanup has ended after all",
  Disarmed: () => "disarmed: no cleanup will run",
  LeakSuspected: (event) =>
    `may be leaked: live for ${Text.duration(event.ageMillis)}, held by ${
      event.owner.spanName === undefined ? "" : `span ${event.owner.spanName}, `
    }fiber ${event.owner.fiberId}`,
  LeakResolved: (event) => `was no leak: ${event.outcome} after ${Text.duration(event.ageMillis)}`,
  Draining: (event) =>
    `Registry is draining: ${event.live} live, ${
      event.deadlineMillis === Infinity ? "no deadline" : `deadline ${Text.duration(event.deadlineMillis)}`
    }`,
  Closed: (event) => `Registry closed: ${summary(event.report)}`
}

/** Whether a value is an event. */
export const is = (value: unknown): value is ResourceEvent =>
  typeof value === "object" && value !== null && "_tag" in value && "at" in value && typeof value.at === "number" &&
  Object.hasOwn(wordings, value._tag as PropertyKey)

const ends: ReadonlyArray<string> = ["Cleaned", "Recovered", "Failed", "Abandoned", "Disarmed"]

/** Whether an event says how a resource ended. */
export const isEnd = (event: ResourceEvent): event is EndEvent => ends.includes(event._tag)

/**
 * One line for people; no time in it, as loggers have their own.
 *
 * ```ts
 * import { ResourceEvent, ResourceId } from "@patinox/core"
 *
 * const line = ResourceEvent.format({
 *   _tag: "Slow",
 *   at: 0,
 *   id: ResourceId.sequential().next(),
 *   typeName: "Database",
 *   priority: "Normal",
 *   runMillis: 1500
 * })
 * console.log(line) // =>
 * // Database (00000000-0000-4000-8000-000000000001) cleanup is slow: running for 1.5 s
 * ```
 */
export const format = (event: ResourceEvent): string => {
  const text = wordings[event._tag](event as never)
  return Text.line("id" in event ? `${Text.resource(event)} ${text}` : text)
}
