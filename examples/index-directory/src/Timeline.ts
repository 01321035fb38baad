/** Prints events from the first cleanup on, as they happen, and at the end the outcome of each resource. */
import { CleanupReport, ResourceEvent, ResourceMonitor } from "@patinox/core"
import { Duration, Effect, Layer } from "effect"
import { Output } from "./Output.js"

/** An event in words, with the time since the first cleanup. Names are unique here: the ids would only be in the way. */
const lineOf = (event: ResourceEvent.ResourceEvent, since: number): string => {
  const text = ResourceEvent.format(event)
  const millis = `${Math.round(event.at - since)} ms`.padStart(8)
  return `${millis}  ${"id" in event ? text.replaceAll(` (${event.id})`, "") : text}`
}

/** Watches the registry that it is provided to. */
export const layer = (shutdownTimeout: Duration.Duration): Layer.Layer<never, never, Output> =>
  Layer.unwrapEffect(Effect.map(Output, (output) => {
    const records: Array<CleanupReport.CleanupRecord> = []
    let since: number | undefined
    const table = (at: number) =>
      CleanupReport.render(CleanupReport.make({
        records,
        durationMillis: at - (since ?? at),
        deadlineMillis: Duration.toMillis(shutdownTimeout),
        // Where it is, the runtime has ended the process.
        deadlineReached: false
      }))
    return ResourceMonitor.layer(ResourceMonitor.make((event) => {
      if (event._tag === "Closed") return output.line(`\n${table(event.at)}`)
      if (event._tag === "Started") since ??= event.at
      if ("record" in event) records.push(event.record)
      return since === undefined || event._tag === "Draining" ? Effect.void : output.line(lineOf(event, since))
    }))
  }))
