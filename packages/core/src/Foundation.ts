/**
 * What the packages of Patinox build on beside the public modules, so that they word, check and time things alike. Open
 * to others who build on core, too; not for applications, and not part of the index.
 */
import { Effect } from "effect"
import * as Seam from "./internal/Seam.js"
import { Timers } from "./internal/Timers.js"

export { type CallSite, callSite } from "./internal/CallSite.js"
export { type Deadline, make as makeDeadline } from "./internal/Deadlines.js"
export { Hub } from "./internal/Hub.js"
export { LazyScope } from "./internal/LazyScope.js"
export { checkDuration, type Checked, checkInteger, wrongChoice } from "./internal/Options.js"
export { TaggedError } from "./internal/TaggedError.js"
export type { Timers } from "./internal/Timers.js"
export * as Wording from "./internal/Wording.js"

/** A timer for everything that is due, on the clock of the fiber at hand; it runs only while something is. */
export const makeTimers: Effect.Effect<Timers> = /* @__PURE__ */ Effect.suspend(() =>
  Seam.withFiber((fiber) => Effect.succeed(new Timers(Seam.clockOf(fiber), Seam.originOf(fiber))))
)
