/** Shows `RegistryConfig`. */
import { describe, expect, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Exit, Layer } from "effect"
import { type PatinoxError, ResourceGuard, ResourceRegistry } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

describe("options of the registry", () => {
  const cases: ReadonlyArray<readonly [ResourceRegistry.RegistryOptions, string, string]> = [
    [{ concurrency: 0 }, "concurrency", "an integer from 1 to 10000"],
    [{ concurrency: 1.5 }, "concurrency", "an integer from 1 to 10000"],
    [{ concurrency: 10_001 }, "concurrency", "an integer from 1 to 10000"],
    [{ cleanupTimeout: 0 }, "cleanupTimeout", "a duration above 0, or Duration.infinity"],
    [{ slowAfter: "soon" as never }, "slowAfter", "a duration above 0, or Duration.infinity"],
    [{ shutdownTimeout: -1 }, "shutdownTimeout", "a duration above 0, or Duration.infinity"],
    [{ leakThreshold: 0 }, "leakThreshold", "a duration above 0, or Duration.infinity"],
    [{ captureStacks: "some" as never }, "captureStacks", "one of off, sampled, all"],
    [{ deadLetters: -1 }, "deadLetters", "an integer from 0 to 1000000"]
  ]

  for (const [options, field, expected] of cases) {
    it.effect(`${JSON.stringify(options)} fails with the option, the value and the range, before anything starts`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Effect.provide(registry, ResourceRegistry.layerWith(options)))
        expect(error._tag).toBe("Validation")
        expect((error as PatinoxError.Validation).error).toMatchObject({
          _tag: "InvalidInput",
          field,
          expected,
          value: Object.values(options)[0]
        })
        expect(error.message).toContain(`Invalid option "${field}"`)
      }))
  }

  it.effect("options of the registry that are right at their bounds are taken", () =>
    Effect.gen(function*() {
      for (
        const options of [
          { concurrency: 1, deadLetters: 0 },
          { concurrency: 10_000, deadLetters: 1_000_000, cleanupTimeout: Infinity, shutdownTimeout: Infinity }
        ]
      ) {
        expect(yield* Effect.provide(Effect.flatMap(registry, (r) => r.isHealthy), ResourceRegistry.layerWith(options)))
          .toBe(true)
      }
    }))
})

describe("configuration from the environment", () => {
  const withEnvironment = (variables: Record<string, string>) =>
    Effect.provide(Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables)))))

  it.effect("reads every option by its name, and keeps the defaults of the others", () =>
    Effect.gen(function*() {
      const read = yield* Effect.withConfigProvider(
        ResourceRegistry.config,
        ConfigProvider.fromMap(
          new Map(Object.entries({
            PATINOX_CONCURRENCY: "3",
            PATINOX_CLEANUP_TIMEOUT: "2 seconds",
            PATINOX_SLOW_AFTER: "500",
            PATINOX_SHUTDOWN_TIMEOUT: "Infinity",
            PATINOX_LEAK_THRESHOLD: "off",
            PATINOX_CAPTURE_STACKS: "sampled",
            PATINOX_DEAD_LETTERS: "7"
          }))
        )
      )
      expect(read).toEqual({
        concurrency: 3,
        cleanupTimeout: "2 seconds",
        slowAfter: 500,
        shutdownTimeout: Infinity,
        leakThreshold: "off",
        captureStacks: "sampled",
        deadLetters: 7
      })
      expect(yield* Effect.provide(Effect.flatMap(registry, (r) => r.isHealthy), ResourceRegistry.layerConfig())).toBe(
        true
      )
    }))

  it.effect("configuration from the environment is in force: a limit that was read is the limit", () =>
    Effect.gen(function*() {
      const letters = yield* Effect.gen(function*() {
        const r = yield* registry
        for (let i = 0; i < 5; i++) yield* Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.fail(i)))
        return yield* r.deadLetters.list
      }).pipe(
        Effect.provide(ResourceRegistry.layerConfig()),
        withEnvironment({ PATINOX_DEAD_LETTERS: "2" })
      )
      expect(letters).toHaveLength(2)
    }))

  it.effect("fails with the variable, the value and the range", () =>
    Effect.gen(function*() {
      const failure = (variables: Record<string, string>) =>
        Effect.map(
          Effect.exit(
            Effect.provide(registry, ResourceRegistry.layerConfig()).pipe(withEnvironment(variables))
          ),
          (exit) => Exit.isFailure(exit) ? String(exit.cause) : "none"
        )
      for (
        const [variable, value, range] of [
          ["PATINOX_CONCURRENCY", "0", "an integer from 1 to 10000"],
          ["PATINOX_CONCURRENCY", "many", "an integer from 1 to 10000"],
          ["PATINOX_CLEANUP_TIMEOUT", "soon", "a duration above 0, or Duration.infinity"],
          ["PATINOX_LEAK_THRESHOLD", "-5", "a duration above 0, or Duration.infinity"],
          ["PATINOX_CAPTURE_STACKS", "some", "one of off, sampled, all"]
        ] as const
      ) {
        const message = yield* failure({ [variable]: value })
        expect(message).toContain(variable)
        expect(message).toContain(value)
        expect(message).toContain(range)
      }
    }))

  it.effect("takes a Config of one's own", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(
        Effect.provide(
          registry,
          ResourceRegistry.layerConfig(Config.map(Config.integer("SLOTS"), (concurrency) => ({ concurrency })))
        ).pipe(withEnvironment({ SLOTS: "0" }))
      )
      expect(Exit.isFailure(exit) && String(exit.cause)).toContain("an integer from 1 to 10000")
    }))
})
