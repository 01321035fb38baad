/**
 * What the packages of Patinox build on beside the public modules, so that they word, check and time things alike. Open
 * to others who build on core, too; not for applications, and not part of the index.
 */
import { Context, Effect, type Fiber } from "effect"
import { askerOf, limitOf } from "./internal/Asker.js"
import * as Seam from "./internal/Seam.js"
import { ShutdownHost } from "./internal/ShutdownHost.js"
import { Timers } from "./internal/Timers.js"

export { type CallSite, callSite } from "./internal/CallSite.js"
export { type Deadline, make as makeDeadline } from "./internal/Deadlines.js"
export { EventHub } from "./internal/kernel/EventHub.js"
export * as UserFunction from "./internal/kernel/UserFunction.js"
export { LazyScope } from "./internal/LazyScope.js"
export {
  checkCount,
  checkDuration,
  checkDurationIn,
  type Checked,
  checkInteger,
  checkName,
  checkPause,
  checkShare,
  durationMillis,
  type DurationRange,
  readOptions,
  wrongChoice
} from "./internal/Options.js"
export { limitsItself } from "./internal/ScopeKeys.js"
export { closedExit, wallMillis } from "./internal/Seam.js"
export { type ClosingScope, ShutdownHost } from "./internal/ShutdownHost.js"
export { TaggedError } from "./internal/TaggedError.js"
export type { Timers } from "./internal/Timers.js"
export * as Wording from "./internal/Wording.js"

/** A timer for everything that is due, on the clock of the fiber at hand; it runs only while something is. */
export const makeTimers: Effect.Effect<Timers> = /* @__PURE__ */ Effect.suspend(() =>
  Seam.withFiber((fiber) => Effect.succeed(new Timers(Seam.clockOf(fiber), Seam.originOf(fiber))))
)

/**
 * How long there is for what the fiber does: less than the cleanup that it runs inside of has, and no more than is left of
 * a process that shuts down, as `context` knows it. In milliseconds; else `Infinity`.
 */
export const leftMillis = (fiber: Fiber.RuntimeFiber<any, any>, context: Context.Context<never>): number => {
  const now = Seam.monotonicMillis(Seam.clockOf(fiber))
  const { leftMillis } = Context.get(context, ShutdownHost)
  return Math.min(limitOf(askerOf(fiber), now) - now, Math.max(1, leftMillis()))
}
