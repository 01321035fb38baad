/** The numbers of the manifest in docs fit the defaults of the code, and the text says the same. */
import { expect, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import * as Plan from "../src/internal/Plan.js"
import { defaults } from "../src/internal/RunOptions.js"
import { graceMillis, killMillis } from "../src/internal/Watchdog.js"

const read = (file: string) => readFileSync(new URL(`../../../docs/${file}`, import.meta.url), "utf8")
const manifest = read("kubernetes.yaml")
const text = read("kubernetes.md")

/** The number of a key, within the block of another where one is named. */
const numberOf = (key: string, within = ""): number => {
  const block = manifest.slice(manifest.indexOf(within))
  const found = new RegExp(`\\b${key}: (\\d+)`).exec(block)?.[1]
  if (found === undefined) throw new Error(`no ${key} in ${within}`)
  return Number(found)
}
const probe = (name: string) => numberOf("periodSeconds", name) * numberOf("failureThreshold", name)
const seconds = (pattern: RegExp): number => {
  const found = pattern.exec(text)?.[1]
  if (found === undefined) throw new Error(`nothing like ${pattern}`)
  return Number(found)
}

const gracePeriod = numberOf("terminationGracePeriodSeconds")
const readinessDelay = seconds(/readinessDelay: "(\d+) seconds"/)
const drainTimeout = seconds(/drainTimeout: "(\d+) seconds"/)
const shutdownTimeout = defaults.shutdownTimeout / 1_000
const watchdog = (graceMillis + killMillis) / 1_000

it("the grace period is above all that comes before its end", () => {
  expect(manifest).not.toContain("preStop:")
  expect(shutdownTimeout + watchdog).toBeLessThan(gracePeriod)
})

it("a load balancer that goes by the readiness probe has heard of it in time", () => {
  expect(probe("readinessProbe")).toBeLessThan(readinessDelay)
})

it("requests have ended before everything starts", () => {
  const { closedAt, interruptAt } = Plan.plan(defaults.shutdownTimeout, readinessDelay * 1_000)
  const closing = closedAt - interruptAt
  const everythingStarts = (closedAt - Math.min(5_000, closing * 0.2)) / 1_000
  expect(text).toContain(`5 + 10 + 1 < ${everythingStarts}`)
  expect(readinessDelay + drainTimeout + 1).toBeLessThan(everythingStarts)
})

it("nobody is restarted while it shuts down", () => {
  expect(probe("livenessProbe")).toBeGreaterThan(gracePeriod)
})

it("the text says what the manifest and the code say", () => {
  expect(text).toContain(`| \`shutdownTimeout\` | ${shutdownTimeout} s (default) |`)
  expect(text).toContain(`| watchdog | ${watchdog} s |`)
  expect(text).toContain(`| \`terminationGracePeriodSeconds\` | ${gracePeriod} s `)
  expect(text).toContain(`0 + ${shutdownTimeout} + ${watchdog} < ${gracePeriod}`)
  expect(text).toContain(
    `| readiness probe | ${numberOf("periodSeconds", "readinessProbe")} s x ${
      numberOf("failureThreshold", "readinessProbe")
    } |`
  )
  expect(text).toContain(
    `| liveness probe | ${numberOf("periodSeconds", "livenessProbe")} s x ${
      numberOf("failureThreshold", "livenessProbe")
    } |`
  )
  expect(manifest).toContain(`the shutdownTimeout of ${shutdownTimeout} s and the ${watchdog} s that the watchdog`)
  expect(manifest).toContain(`the readinessDelay of ${readinessDelay} s`)
  expect(defaults.readinessDelay).toBe(0)
})

it("the example of longer requests adds up as well", () => {
  const timeout = seconds(/`shutdownTimeout` (90) s/)
  const { closedAt, interruptAt } = Plan.plan(timeout * 1_000, readinessDelay * 1_000)
  expect(interruptAt / 1_000).toBe(seconds(/its scope closes from (\d+) to 89 s/))
  expect(closedAt / 1_000).toBe(seconds(/its scope closes from 5 to (\d+) s/))
  expect(closedAt / 1_000 - 5).toBe(seconds(/everything starts at (\d+) s/))
  expect(readinessDelay + 60 + 1).toBeLessThan(closedAt / 1_000 - 5)
  expect(timeout + watchdog).toBeLessThan(seconds(/`terminationGracePeriodSeconds` (\d+)\./))
})
