/**
 * What the packages of Patinox build on beside the public modules, so that they word, check and time things alike. Open
 * to others who build on core, too; not for applications, and not part of the index.
 */
import { Context, Effect, type Fiber } from "effect"
import { callerOf, limitOf } from "./internal/cleanup/CallerContext.js"
import * as Clocks from "./internal/effect3/Clocks.js"
import * as Fibers from "./internal/effect3/Fibers.js"
import * as Refs from "./internal/effect3/Refs.js"
import { ShutdownHost } from "./internal/kernel/ShutdownHost.js"
import { Timers } from "./internal/kernel/Timers.js"

export { wallMillis } from "./internal/effect3/Clocks.js"
export {
  callback,
  type CurrentFiber,
  disconnect,
  enter,
  fiberNumber,
  interruptLater,
  isBatching,
  isInside,
  isInterruptible,
  makeDeferred,
  spanOf,
  withFiber
} from "./internal/effect3/Fibers.js"
export { histogram, updateNow } from "./internal/effect3/Metrics.js"
export { nextRandom } from "./internal/effect3/Randoms.js"
export { type Inherited, inherited, type Midst, shareRefs } from "./internal/effect3/Refs.js"
export {
  type AppRuntime,
  forkFor,
  forkLater,
  originWithin,
  provideAround,
  servicesOf,
  withoutSpan,
  withScope
} from "./internal/effect3/Runtimes.js"
export { closedExit, finalizersOf, scopeOf, scopeOrUndefined } from "./internal/effect3/Scopes.js"
export { nextTurn } from "./internal/effect3/Turns.js"
export { type CallSite, callSite } from "./internal/kernel/CallSite.js"
export { Condition, type WaitLimit } from "./internal/kernel/Condition.js"
export { type Deadline, make as makeDeadline } from "./internal/kernel/DeadlineHeap.js"
export { EventHub } from "./internal/kernel/EventHub.js"
export { Labels } from "./internal/kernel/Labels.js"
export {
  checkAll,
  checkCount,
  checkDuration,
  checkDurationIn,
  type Checked,
  type CheckedBy,
  checkInteger,
  checkName,
  checkPause,
  checkShare,
  durationMillis,
  type DurationRange,
  integerIn,
  oneOf,
  readOptions,
  wrongChoice
} from "./internal/kernel/Options.js"
export { type ClosingScope, ShutdownHost } from "./internal/kernel/ShutdownHost.js"
export { TaggedError } from "./internal/kernel/TaggedError.js"
export * as Text from "./internal/kernel/Text.js"
export type { Timers } from "./internal/kernel/Timers.js"
export * as UserFunction from "./internal/kernel/UserFunction.js"
export { liveStates, phases } from "./internal/kernel/Vocabulary.js"
export { limitsItself } from "./internal/scope/FinalizerKeys.js"
export { LazyScope } from "./internal/scope/LazyScope.js"
// What a pool alone uses of Effect's inside.
export { suspendUntil, tracingOf } from "./internal/effect3/Fibers.js"
export { type Runner, runPromiseExit, runtimeOf } from "./internal/effect3/Runtimes.js"

/** A timer for everything that is due, on the clock of the fiber at hand; it runs only while something is. */
export const makeTimers: Effect.Effect<Timers> = /* @__PURE__ */ Effect.suspend(() =>
  Fibers.withFiber((fiber) => Effect.succeed(new Timers(Clocks.clockOf(fiber), Refs.originOf(fiber))))
)

/**
 * How long there is for what the fiber does: less than the cleanup that it runs inside of has, and no more than is left of
 * a process that shuts down, as `context` knows it. In milliseconds; else `Infinity`.
 */
export const leftMillis = (fiber: Fiber.RuntimeFiber<any, any>, context: Context.Context<never>): number => {
  const now = Clocks.monotonicMillis(Clocks.clockOf(fiber))
  const { leftMillis } = Context.get(context, ShutdownHost)
  return Math.min(limitOf(callerOf(fiber), now) - now, Math.max(1, leftMillis()))
}
