/** Options of `runMain` and `launch`: defaults, and what is allowed. Pure: bad input comes back as a `Validation`. */
import { defaultTeardown, type Teardown } from "@effect/platform/Runtime"
import { checkDurationIn, durationMillis, wrongChoice } from "@patinox/core/kernel"
import { invalidOption, Validation } from "@patinox/core/PatinoxError"
import type { ScopeOptions } from "@patinox/core/ResourceScope"
import { type Duration, Layer } from "effect"
import { duration } from "./Messages.js"
import { maxTimerMillis } from "./Seam.js"

/**
 * What can ask a process to shut down: signals, and `"disconnect"`, the end of the channel to the parent that has forked this
 * process (Node's IPC): without its parent nobody would end it.
 */
export type Signal =
  | "SIGTERM"
  | "SIGINT"
  | "SIGHUP"
  | "SIGQUIT"
  | "SIGUSR1"
  | "SIGUSR2"
  | "SIGPWR"
  | "SIGBREAK"
  | "disconnect"

/** Of `runMain` and `launch`. */
export interface Options extends Pick<ScopeOptions, "finalizerTimeout" | "order"> {
  /**
   * How long the whole shutdown may take, from the signal (or the end of the program) to the end of the process: above 0,
   * up to 24 days, or `Duration.infinity`. Default 25 seconds.
   */
  readonly shutdownTimeout?: Duration.DurationInput
  /**
   * From the signal, when readiness turns false, until the running fibers are interrupted: from 0 to below the
   * `shutdownTimeout`, which includes it. Default 0.
   */
  readonly readinessDelay?: Duration.DurationInput
  /**
   * How long the first layers may take to be built, by `launch`, `Layer.launch` or `Effect.provide`: above 0, up to 24 days,
   * or `Duration.infinity`. What is not built by then is named, and the process shuts down with 1. Default 5 minutes.
   */
  readonly startTimeout?: Duration.DurationInput
  /**
   * What shuts the process down; those that the platform does not have are left out. Default SIGTERM, SIGINT, SIGHUP and
   * disconnect. Leave `"disconnect"` out where a parent disconnects on purpose and this process should go on.
   */
  readonly signals?: ReadonlyArray<Signal>
  /** What a rejected promise that nobody handles does: it shuts the process down, or is logged as an error. Default "shutdown". */
  readonly unhandledRejection?: "shutdown" | "log"
  /**
   * Layers that the program builds with `Layer.launch`, `Effect.provide` or a `ManagedRuntime` keep the scopes of Effect,
   * without limits for their finalizers. Default false.
   */
  readonly disableLayerLimits?: boolean
  /**
   * The application's loggers: built first, in a scope of their own that closes last, so that they get the report and each
   * failure. With it the pretty logger is not added. Default none.
   */
  readonly loggerLayer?: Layer.Layer<never, unknown>
  /** The program's error is not logged. Default false. */
  readonly disableErrorReporting?: boolean
  /** The pretty logger does not replace Effect's default logger. Default false. */
  readonly disablePrettyLogger?: boolean
  /** The exit code for what the program ended with, as Effect's `runMain` has it; 0 is not the last word. */
  readonly teardown?: Teardown
}

export interface Resolved {
  readonly shutdownTimeout: number
  readonly readinessDelay: number
  readonly startTimeout: number
  readonly signals: ReadonlyArray<Signal>
  readonly shutsDownByRejection: boolean
  readonly limitsLayers: boolean
  readonly loggerLayer: Layer.Layer<never, unknown> | undefined
  readonly reportsErrors: boolean
  readonly hasPrettyLogger: boolean
  readonly teardown: Teardown
  /** Checked by the scope that they are for. */
  readonly scope: Pick<ScopeOptions, "finalizerTimeout" | "order">
}

export const defaults = {
  shutdownTimeout: 25_000,
  readinessDelay: 0,
  startTimeout: 300_000,
  signals: ["SIGTERM", "SIGINT", "SIGHUP", "disconnect"]
} as const

const allSignals: ReadonlyArray<Signal> = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGPWR",
  "SIGBREAK",
  "disconnect"
]

/** What a timer can hold, or without a limit. */
const checkLimit = (option: string, value: unknown): number | Validation =>
  durationMillis(value) === Infinity ? Infinity : checkDurationIn(option, value, {
    max: maxTimerMillis,
    maxText: ", up to 24 days, or Duration.infinity"
  })

export const resolve = (options: Options): Resolved | Validation => {
  const { disableErrorReporting, disablePrettyLogger, finalizerTimeout, loggerLayer, order, teardown } = options
  const shutdownTimeout = checkLimit("shutdownTimeout", options.shutdownTimeout ?? defaults.shutdownTimeout)
  if (shutdownTimeout instanceof Validation) return shutdownTimeout
  const startTimeout = checkLimit("startTimeout", options.startTimeout ?? defaults.startTimeout)
  if (startTimeout instanceof Validation) return startTimeout
  const readinessDelay = durationMillis(options.readinessDelay ?? defaults.readinessDelay)
  if (!(readinessDelay >= 0 && readinessDelay < Math.min(shutdownTimeout, maxTimerMillis))) {
    return invalidOption(
      "readinessDelay",
      options.readinessDelay,
      `a duration from 0 to below ${
        shutdownTimeout === Infinity ? "24 days" : `the shutdownTimeout of ${duration(shutdownTimeout)}`
      }`
    )
  }
  const signals: ReadonlyArray<Signal> = options.signals ?? defaults.signals
  if (!Array.isArray(signals) || !signals.every((signal) => allSignals.includes(signal))) {
    return invalidOption("signals", signals, `a list of ${allSignals.join(", ")}`)
  }
  const { unhandledRejection } = options
  const mistake = wrongChoice("unhandledRejection", unhandledRejection, ["shutdown", "log"])
  if (mistake !== undefined) return mistake
  if (loggerLayer !== undefined && !Layer.isLayer(loggerLayer)) {
    return invalidOption("loggerLayer", loggerLayer, "a Layer")
  }
  if (teardown !== undefined && typeof teardown !== "function") {
    return invalidOption("teardown", teardown, "a function of an Exit and a callback")
  }
  return {
    shutdownTimeout,
    readinessDelay,
    startTimeout,
    shutsDownByRejection: unhandledRejection !== "log",
    limitsLayers: options.disableLayerLimits !== true,
    signals: [...new Set(signals)],
    loggerLayer,
    reportsErrors: disableErrorReporting !== true,
    hasPrettyLogger: disablePrettyLogger !== true && loggerLayer === undefined,
    teardown: teardown ?? defaultTeardown,
    scope: {
      ...(finalizerTimeout === undefined ? {} : { finalizerTimeout }),
      ...(order === undefined ? {} : { order })
    }
  }
}
