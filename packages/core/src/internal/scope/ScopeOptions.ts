/** Options of a `ResourceScope`: defaults, and what is allowed. Pure, as `Options`. */
import { type Duration, ExecutionStrategy } from "effect"
import { invalidOption, Validation } from "../../PatinoxError.js"
import type { Settings } from "../cleanup/CleanupTarget.js"
import { checkDuration, type Checked, checkInteger, wrongChoice, wrongOptions } from "../kernel/Options.js"

/** How a scope closes. */
export interface CloseOptions {
  /** The deadline for everything in it. Default 25 seconds. */
  readonly timeout?: Duration.DurationInput
  /** The time limit of each finalizer; a guard has its own. Default 10 seconds. */
  readonly finalizerTimeout?: Duration.DurationInput
  /**
   * `"lifo"`: last added, first run. `"priority"`: guards that were added one after the other run by priority and
   * dependency; any other finalizer between them keeps its place. Default `"lifo"`.
   */
  readonly order?: "lifo" | "priority"
}

/** How a scope is made. */
export interface ScopeOptions extends CloseOptions {
  /** Whether finalizers run one after the other, side by side, or so many at a time. Default sequential. */
  readonly strategy?: ExecutionStrategy.ExecutionStrategy
}

export interface ResolvedScope {
  readonly timeout: number
  readonly order: "lifo" | "priority"
  readonly strategy: ExecutionStrategy.ExecutionStrategy
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
  strategy: ExecutionStrategy.sequential,
  finalizer: /* @__PURE__ */ settingsOf(10_000)
}

const checkStrategy = (strategy: ExecutionStrategy.ExecutionStrategy): Validation | undefined => {
  switch (strategy?._tag) {
    case "Sequential":
    case "Parallel":
      return undefined
    case "ParallelN": {
      const checked = checkInteger("strategy", strategy.parallelism, 1, Number.MAX_SAFE_INTEGER)
      return checked instanceof Validation ? checked : undefined
    }
    default:
      return invalidOption("strategy", strategy, "an ExecutionStrategy")
  }
}

/** The options over what holds without them. */
export const resolve = (options: ScopeOptions | undefined, base: ResolvedScope = defaults): Checked<ResolvedScope> => {
  if (options === undefined) return base
  const none = wrongOptions(options)
  if (none !== undefined) return none
  const timeout = options.timeout === undefined ? base.timeout : checkDuration("timeout", options.timeout)
  if (timeout instanceof Validation) return timeout
  const each = options.finalizerTimeout === undefined
    ? base.finalizer.timeout
    : checkDuration("finalizerTimeout", options.finalizerTimeout)
  if (each instanceof Validation) return each
  const strategy = options.strategy ?? base.strategy
  const mistake = wrongChoice("order", options.order, ["lifo", "priority"]) ?? checkStrategy(strategy)
  return mistake ?? {
    timeout,
    order: options.order ?? base.order,
    strategy,
    finalizer: each === base.finalizer.timeout ? base.finalizer : settingsOf(each)
  }
}

/** How many finalizers of one scope run at once. */
export const parallelism = (strategy: ExecutionStrategy.ExecutionStrategy): number =>
  strategy._tag === "Sequential" ? 1 : strategy._tag === "Parallel" ? Infinity : strategy.parallelism
