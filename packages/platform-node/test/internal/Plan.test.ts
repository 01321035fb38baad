import { expect, it } from "@effect/vitest"
import * as fc from "fast-check"
import * as Plan from "../../src/internal/Plan.js"

it("by default fibers have 20 s, the scope 4, and the report and the logger 1", () => {
  expect(Plan.plan(25_000, 0)).toEqual({ interruptAt: 0, abandonAt: 20_000, closedAt: 24_000, endAt: 25_000 })
})

it("the delay of the readiness is taken from the fibers first", () => {
  expect(Plan.plan(25_000, 5_000)).toEqual({ interruptAt: 5_000, abandonAt: 21_000, closedAt: 24_000, endAt: 25_000 })
  expect(Plan.plan(1_000, 500)).toEqual({ interruptAt: 500, abandonAt: 900, closedAt: 950, endAt: 1_000 })
})

it("without a limit nothing is abandoned", () => {
  expect(Plan.plan(Infinity, 5_000)).toEqual({
    interruptAt: 5_000,
    abandonAt: Infinity,
    closedAt: Infinity,
    endAt: Infinity
  })
})

it("whatever the options, each step has time before the next", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1, max: 10_000_000 }).chain((timeout) =>
      fc.tuple(fc.constant(timeout), fc.integer({ min: 0, max: timeout - 1 }))
    ),
    ([timeout, delay]) => {
      const { closedAt, endAt, interruptAt, abandonAt } = Plan.plan(timeout, delay)
      expect(interruptAt).toBe(delay)
      expect(abandonAt).toBeGreaterThan(interruptAt)
      expect(closedAt).toBeGreaterThan(abandonAt)
      expect(endAt).toBeGreaterThan(closedAt)
      expect(endAt).toBe(timeout)
    }
  ))
})

it("progress is told at most five times within the default, and a handful of times more in an hour", () => {
  const within = (millis: number) => {
    let n = 0
    while (Plan.progressAt(n) < millis) n++
    return n
  }
  expect([0, 1, 2, 3].map(Plan.progressAt)).toEqual([2_000, 4_000, 8_000, 16_000])
  expect(within(25_000)).toBe(4)
  expect(within(3_600_000)).toBe(11)
})

const clean: Plan.Facts = { programCode: 0, isClean: true, hasUncaught: false, isOverdue: false, processCode: 0 }

it.each<readonly [string, Partial<Plan.Facts>, number]>([
  ["0 where all was clean", {}, 0],
  ["what the program set, where all was clean", { processCode: 3 }, 3],
  ["1 for a program that failed", { programCode: 1 }, 1],
  ["what the teardown says of a program that failed", { programCode: 42, processCode: 3 }, 42],
  ["what the teardown says, whatever else went wrong", { programCode: 42, isClean: false, isOverdue: true }, 42],
  ["1 for a cleanup that failed", { isClean: false }, 1],
  ["1 for a cleanup that failed, whatever the program set", { isClean: false, processCode: 3 }, 1],
  ["1 for what nobody caught", { hasUncaught: true }, 1],
  ["1 for a deadline that has passed", { isOverdue: true }, 1]
])("the exit code is %s", (_, facts, code) => {
  expect(Plan.exitCode({ ...clean, ...facts })).toBe(code)
})

it.each<readonly [string, string, number, boolean]>([
  ["SIGINT", "SIGINT", 0, true],
  ["SIGTERM", "SIGTERM", 30, true],
  ["SIGHUP", "SIGHUP", 499, true],
  ["SIGUSR2", "SIGUSR2", 499, true],
  ["disconnect", "disconnect", 0, true],
  ["SIGINT", "SIGINT", 500, false],
  ["SIGTERM", "SIGTERM", 500, false],
  ["SIGINT", "SIGTERM", 0, false],
  ["SIGTERM", "SIGINT", 0, false],
  ["SIGHUP", "SIGTERM", 1, false]
])("a %s and a %s %d ms later are one signal delivered twice: %s", (first, second, millis, isRepeated) => {
  expect(Plan.isRepeated({ signal: first, at: 5 }, { signal: second, at: 5 + millis })).toBe(isRepeated)
})
