/** Options of `runMain` and `launch`: defaults, and what is allowed. Pure: bad input comes back as a `Validation`. */
import { defaultTeardown, type Teardown } from "@effect/platform/Runtime"
import { invalidOption, type Validation } from "@patinox/core/PatinoxError"
import type { ScopeOptions } from "@patinox/core/ResourceScope"
import { Duration, Layer } from "effect"
import { maxTimerMillis } from "./Seam.js"
import { duration } from "./Wording.js"

/** Signals that can ask a process to shut down. */
export type Signal = "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT" | "SIGUSR1" | "SIGUSR2" | "SIGPWR" | "SIGBREAK"

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
  /** What shuts the process down; those that the platform does not have are left out. Default SIGTERM, SIGINT, SIGHUP. */
  readonly signals?: ReadonlyArray<Signal>
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
  readonly signals: ReadonlyArray<Signal>
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
  signals: ["SIGTERM", "SIGINT", "SIGHUP"]
} as const

const allSignals: ReadonlyArray<Signal> = [
  "SIGTERM",
  "SIGINT",
  "SIGHUP",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGPWR",
  "SIGBREAK"
]

/** Milliseconds, or NaN: `Duration` takes what is below 0 for 0. */
const millisOf = (value: unknown): number => {
  if (/^\s*-/.test(String(value)) || Number.isNaN(value)) return NaN
  const decoded = Duration.decodeUnknown(value)
  return decoded._tag === "Some" ? Duration.toMillis(decoded.value) : NaN
}

export const resolve = (options: Options): Resolved | Validation => {
  const { disableErrorReporting, disablePrettyLogger, finalizerTimeout, loggerLayer, order, teardown } = options
  const shutdownTimeout = millisOf(options.shutdownTimeout ?? defaults.shutdownTimeout)
  if (!(shutdownTimeout > 0 && (shutdownTimeout <= maxTimerMillis || shutdownTimeout === Infinity))) {
    return invalidOption(
      "shutdownTimeout",
      options.shutdownTimeout,
      "a duration above 0, up to 24 days, or Duration.infinity"
    )
  }
  const readinessDelay = millisOf(options.readinessDelay ?? defaults.readinessDelay)
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
  if (loggerLayer !== undefined && !Layer.isLayer(loggerLayer)) {
    return invalidOption("loggerLayer", loggerLayer, "a Layer")
  }
  if (teardown !== undefined && typeof teardown !== "function") {
    return invalidOption("teardown", teardown, "a function of an Exit and a callback")
  }
  return {
    shutdownTimeout,
    readinessDelay,
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
