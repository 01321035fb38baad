/** What a run is given by whoever runs it, and what it needs of that: a registry, or the close of a scope. */
import type { Exit } from "effect"
import type { Trigger } from "../../CleanupReport.js"
import type { Timers } from "../kernel/Timers.js"
import type { Notify } from "../registry/MonitorQueue.js"
import type { CallerContext } from "./CallerContext.js"
import type { CleanupRun } from "./CleanupRun.js"

/** Who runs it. */
export interface RunHost {
  readonly timers: Timers
  readonly slowAfter: number
  nextOrder(): number
  readonly reporter: { readonly notify: Notify }
  wallMillis(): number
  runStarted(run: CleanupRun): void
  runSlow(run: CleanupRun): void
  runEnded(run: CleanupRun): void
  runAbandonedAttempt(run: CleanupRun): void
  runFinishedLate(run: CleanupRun): void
  giveBackSlot(run: CleanupRun): void
}

/** How a run begins. */
export interface RunStart {
  readonly trigger: Trigger
  /** That of the resource's scope, or what stands for it. */
  readonly exit: Exit.Exit<unknown, unknown>
  readonly caller?: CallerContext
  readonly forced?: boolean
  /** It holds one of the registry's slots. */
  readonly slot?: boolean
}
