/** Tells what happens from the moment the registry takes in no more, as it happens, and keeps its report. */
import { type CleanupReport, ResourceEvent, ResourceMonitor } from "@patinox/core"
import { Effect } from "effect"
import { Output } from "./Output.js"

/** An event in words, with the time since the shutdown began. Names are unique here: the ids would only be in the way. */
const lineOf = (event: ResourceEvent.ResourceEvent, since: number): string => {
  const text = ResourceEvent.format(event)
  const millis = `${Math.round(event.at - since)} ms`.padStart(8)
  return `${millis}  ${"id" in event ? text.replaceAll(` (${event.id})`, "") : text}`
}

export const make = Effect.map(Output, (output) => {
  let since: number | undefined
  let report: CleanupReport.CleanupReport | undefined
  return {
    monitor: ResourceMonitor.make((event) => {
      if (event._tag === "Draining") since = event.at
      if (event._tag === "Closed") report = event.report
      // Everything waits at first; how long is in the report.
      return since === undefined || event._tag === "Scheduled" ? Effect.void : output.line(lineOf(event, since))
    }),
    report: Effect.sync(() => report)
  }
})
