/** A process that shuts down, as the resources in it see it. */
import { ShutdownHost } from "@patinox/core/kernel"
import { Effect } from "effect"

/** Runs the effect in a process that is closing, with so much time left. */
export const whileShuttingDown = (leftMillis: number) =>
  Effect.provideService(ShutdownHost, {
    isClosing: () => true,
    leftMillis: () => leftMillis,
    ended: () => {},
    closing: () => {},
    closeAfter: () => false
  })
