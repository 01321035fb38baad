/** Options of a `ResourceScope`: defaults, and what is allowed. Pure, as `Options`. */
import { type Duration } from "effect"
import { invalidOption } from "../../PatinoxError.js"
import type { Settings } from "../cleanup/CleanupTarget.js"
import { checkAll, checkDuration, type Checked, checkInteger, isMistake, oneOf } from "../kernel/Options.js"

/** How a scope closes. */
export interface CloseOptions {
  /** The deadline for everything in it. Default 25 seconds. */
  readonly timeout?: Duration.Input
  /** The time limit of each finalizer; a guard has its own. Default 10 seconds. */
  readonly finalizerTimeout?: Duration.Input
  /**
   * `"lifo"`: last added, first run. `"priority"`: guards that were added one after the other run by priority and
   * dependency; any other finalizer between them keeps its place. Default `"lifo"`.
   */
  readonly order?: "lifo" | "priority"
}

/** Whether finalizers run one after the other, side by side, or so many at a time. */
export type Strategy = "sequential" | "parallel" | number

/** How a scope is made. */
export interface ScopeOptions extends CloseOptions {
  /** Whether finalizers run one after the other, side by side, or so many at a time. Default sequential. */
  readonly strategy?: Strategy
}

export interface ResolvedScope {
  readonly timeout: number
  readonly order: "lifo" | "priority"
  readonly strategy: Strategy
  /** The settings of a finalizer. */
  readonly finalizer: Settings
}

const settingsOf = (timeout: number): Settings => ({
  timeout,
  attemptTimeout: timeout,
  interruptible: false,
  // A finalizer was made to run once.
  recovery: { strategy: () => "Fail" },
  hasFallback: false,
  onFailure: "log",
  close: "wait"
})

/** The settings of a finalizer that limits itself. */
export const unlimited = /* @__PURE__ */ settingsOf(Infinity)

export const defaults: ResolvedScope = {
  timeout: 25_000,
  order: "lifo",
  strategy: "sequential",
  finalizer: /* @__PURE__ */ settingsOf(10_000)
}

const checkStrategy = (option: string, strategy: Strategy): Checked<Strategy> => {
  if (strategy === "sequential" || strategy === "parallel") return strategy
  return typeof strategy === "number"
    ? checkInteger(option, strategy, 1, Number.MAX_SAFE_INTEGER)
    : invalidOption(option, strategy, `"sequential", "parallel", or an integer from 1`)
}

const scopeChecks = {
  timeout: checkDuration,
  finalizerTimeout: checkDuration,
  order: oneOf(["lifo", "priority"] as const),
  strategy: checkStrategy
}

/** The options over what holds without them. */
export const resolve = (options: ScopeOptions | undefined, base: ResolvedScope = defaults): Checked<ResolvedScope> => {
  if (options === undefined) return base
  const checked = checkAll(options, scopeChecks)
  if (isMistake(checked)) return checked
  const { finalizerTimeout: each = base.finalizer.timeout, order = base.order, strategy = base.strategy } = checked
  return {
    timeout: checked.timeout ?? base.timeout,
    order,
    strategy,
    finalizer: each === base.finalizer.timeout ? base.finalizer : settingsOf(each)
  }
}

/** How many finalizers of one scope run at once. */
export const parallelism = ({ plan }: { readonly plan: Strategy }): number =>
  plan === "sequential" ? 1 : plan === "parallel" ? Infinity : plan
