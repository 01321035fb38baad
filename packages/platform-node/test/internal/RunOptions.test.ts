import { expect, it } from "@effect/vitest"
import { PatinoxError } from "@patinox/core"
import { Duration, Layer } from "effect"
import { defaults, resolve } from "../../src/internal/RunOptions.js"

const messageOf = (options: object): string => {
  const resolved = resolve(options)
  return resolved instanceof PatinoxError.Validation ? resolved.message : "accepted"
}

it("without options the defaults hold", () => {
  expect(resolve({})).toMatchObject({
    shutdownTimeout: 25_000,
    readinessDelay: 0,
    startTimeout: 300_000,
    shutsDownByRejection: true,
    limitsLayers: true,
    signals: ["SIGTERM", "SIGINT", "SIGHUP", "disconnect"],
    loggerLayer: undefined,
    reportsErrors: true,
    hasPrettyLogger: true,
    scope: {}
  })
  expect(resolve({ shutdownTimeout: undefined, signals: undefined } as object)).toMatchObject(defaults)
})

it("a logger layer takes the place of the pretty logger", () => {
  expect(resolve({ loggerLayer: Layer.empty })).toMatchObject({ hasPrettyLogger: false })
  expect(resolve({ disablePrettyLogger: true })).toMatchObject({ hasPrettyLogger: false })
})

it("a signal that is named twice is listened to once", () => {
  expect(resolve({ signals: ["SIGTERM", "SIGTERM"] })).toMatchObject({ signals: ["SIGTERM"] })
})

it("durations are taken in every form, up to what a timer can hold", () => {
  expect(resolve({ shutdownTimeout: "1 minute", readinessDelay: Duration.seconds(5) })).toMatchObject({
    shutdownTimeout: 60_000,
    readinessDelay: 5_000
  })
  expect(resolve({ shutdownTimeout: 2 ** 31 - 1 })).toMatchObject({ shutdownTimeout: 2 ** 31 - 1 })
  expect(resolve({ shutdownTimeout: Duration.infinity })).toMatchObject({ shutdownTimeout: Infinity })
})

const timeout = "a duration above 0, up to 24 days, or Duration.infinity"
const delay = "a duration from 0 to below the shutdownTimeout of 25 s"

it.each<readonly [object, string]>([
  [{ shutdownTimeout: 0 }, `Invalid option "shutdownTimeout": got 0, expected ${timeout}`],
  [{ shutdownTimeout: -5 }, `Invalid option "shutdownTimeout": got -5, expected ${timeout}`],
  [{ shutdownTimeout: NaN }, `Invalid option "shutdownTimeout": got NaN, expected ${timeout}`],
  [{ shutdownTimeout: 2 ** 31 }, `Invalid option "shutdownTimeout": got 2147483648, expected ${timeout}`],
  [{ shutdownTimeout: "a while" }, `Invalid option "shutdownTimeout": got "a while", expected ${timeout}`],
  [{ readinessDelay: -1 }, `Invalid option "readinessDelay": got -1, expected ${delay}`],
  [{ readinessDelay: "-1 seconds" }, `Invalid option "readinessDelay": got "-1 seconds", expected ${delay}`],
  [{ readinessDelay: "25 seconds" }, `Invalid option "readinessDelay": got "25 seconds", expected ${delay}`],
  [
    { shutdownTimeout: Duration.infinity, readinessDelay: "30 days" },
    "Invalid option \"readinessDelay\": got \"30 days\", expected a duration from 0 to below 24 days"
  ],
  [{ loggerLayer: "json" }, "Invalid option \"loggerLayer\": got \"json\", expected a Layer"],
  [{ teardown: 1 }, "Invalid option \"teardown\": got 1, expected a function of an Exit and a callback"]
])("%j is refused by name, value and range", (options, message) => {
  expect(messageOf(options)).toBe(message)
})

it.each<unknown>(["SIGTERM", ["SIGKILL"], ["SIGSTOP"], ["SIGTREM"], [15]])(
  "%j are no signals to shut down by",
  (signals) => {
    expect(messageOf({ signals })).toMatch(
      /^Invalid option "signals": got .*, expected a list of SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPWR, SIGBREAK, disconnect$/
    )
  }
)
