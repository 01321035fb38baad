/** The one check of durations and numbers that are options, for all packages: what is below 0, no number or no duration. */
import { describe, expect, it } from "@effect/vitest"
import { Untellable } from "@patinox/vitest"
import { Cause, Duration, Effect, Exit, Layer } from "effect"
import * as fc from "fast-check"
import { ResourceGuard, ResourceRegistry, ResourceRuntime, ResourceScope } from "../../../src/index.js"
import * as Options from "../../../src/internal/kernel/Options.js"
import { Validation } from "../../../src/PatinoxError.js"

const below0: ReadonlyArray<unknown> = [
  -1,
  -0.5,
  -Infinity,
  Number.NaN,
  -1n,
  "-5 seconds",
  " -1 millis",
  [-1, 0],
  [0, -1],
  [Number.NaN, 0]
]
const noDurations: ReadonlyArray<unknown> = [
  "soon",
  "",
  null,
  undefined,
  {},
  [],
  [1],
  true,
  Symbol("a"),
  () => 1,
  // A bigint is one: of nanoseconds.
  ...Untellable.forms.filter((form) => form !== "bigint").map(Untellable.make)
]

const messageOf = (checked: Options.Checked<unknown>): string =>
  checked instanceof Validation ? checked.message : `accepted ${String(checked)}`

describe("a duration", () => {
  it("a duration that is below 0, no number or no duration is refused, whatever 0 may mean, and never throws", () => {
    for (const value of [...below0, ...noDurations]) {
      expect(Options.durationMillis(value)).toBeNaN()
      expect(messageOf(Options.checkDuration("limit", value))).toMatch(
        /^Invalid option "limit": got .*, expected a duration above 0, or Duration\.infinity$/s
      )
      expect(messageOf(Options.checkPause("pause", value))).toMatch(
        /^Invalid option "pause": got .*, expected a duration from 0, or Duration\.infinity$/s
      )
    }
  })

  it("a duration of 0 is a pause and no limit, in every form", () => {
    for (const value of [0, -0, 0n, "0 seconds", [0, 0], Duration.zero]) {
      expect(Options.checkPause("pause", value)).toBe(0)
      expect(Options.checkDuration("limit", value)).toBeInstanceOf(Validation)
    }
  })

  it("a duration is taken in every form that Effect has, infinite ones where there is no longest", () => {
    for (const value of [1_500, "1500 millis", "1.5 seconds", [1, 500_000_000], Duration.millis(1_500)]) {
      expect(Options.checkDuration("limit", value)).toBe(1_500)
    }
    for (const value of [Infinity, Duration.infinity]) {
      expect(Options.checkDuration("limit", value)).toBe(Infinity)
      expect(messageOf(Options.checkDurationIn("grace", value, { zero: true, max: 5_000 }))).toMatch(
        /^Invalid option "grace": got .*, expected a duration from 0 up to 5 s$/s
      )
    }
  })

  it("a duration is accepted exactly inside its range (property)", () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeNat(), fc.boolean(), (value, max, zero) => {
        const isAllowed = (zero ? value >= 0 : value > 0) && value <= max
        const checked = Options.checkDurationIn("limit", value, { max, zero })
        expect(checked instanceof Validation).toBe(!isAllowed)
      }),
      { examples: [[0, 0, true], [0, 0, false], [-0, 1, false], [NaN, Infinity, true]] }
    )
  })
})

describe("a number", () => {
  it("a number out of its range is refused by name, value and range", () => {
    for (const value of [-1, 0.5, Number.NaN, Infinity, "1", null, ...Untellable.forms.map(Untellable.make)]) {
      expect(messageOf(Options.checkInteger("count", value, 0, 10))).toMatch(/, expected an integer from 0 to 10$/s)
    }
    for (const value of [-1, 0, 1.5, Number.NaN, -Infinity, "1"]) {
      expect(messageOf(Options.checkCount("count", value, 1))).toMatch(/, expected an integer from 1, or Infinity$/s)
    }
    for (const value of [-0.1, 1.1, Number.NaN, Infinity, "1"]) {
      expect(messageOf(Options.checkShare("part", value))).toMatch(/, expected a number from 0 to 1$/s)
    }
    expect(Options.checkCount("count", Infinity, 1)).toBe(Infinity)
    expect([Options.checkShare("part", 0), Options.checkShare("part", 1)]).toEqual([0, 1])
  })

  it("a number is no name, and an empty text is none", () => {
    for (const value of ["", 1, null, {}]) {
      expect(messageOf(Options.checkName("name", value))).toMatch(/, expected a text that is not empty$/s)
    }
  })
})

describe("options that are nothing which could hold some", () => {
  const guard = (options: any) => Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void, options))
  const ways: Record<string, (options: any) => Effect.Effect<unknown, unknown, ResourceRegistry.ResourceRegistry>> = {
    "a runtime": (options) => Effect.sync(() => ResourceRuntime.make(Layer.empty, options)),
    "a registry": (options) => Layer.launch(ResourceRegistry.layerWith(options)),
    "a scope": ResourceScope.make,
    "a scoped effect": (options) => ResourceScope.scoped(Effect.void, options),
    "a guard": guard,
    "a registered resource": (options) =>
      Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.register(() => Effect.void, options))
  }
  for (const [name, way] of Object.entries(ways)) {
    it.effect(`options that are nothing which could hold some are refused by ${name}, with a typed error`, () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(way(null))
        const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
        expect(messageOf(error)).toBe(`Invalid option "options": got null, expected an object`)
      }).pipe(Effect.provide(ResourceRegistry.layer)))
  }
})
