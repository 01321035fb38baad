/** Shows `RecoveryPlan` and `ProgramArbitraries`. */
import { CleanupError, PatinoxError, ResourceEvent, ResourceGuard, ResourceId, ResourceRegistry } from "@patinox/core"
import { Effect } from "effect"
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { Arbitraries, Program } from "../src/index.js"

/** Every one of these comes up in a modest sample. */
const covers = <A>(arbitrary: fc.Arbitrary<A>, kindOf: (value: A) => string, kinds: ReadonlyArray<string>) => {
  const seen = new Set(fc.sample(arbitrary, { numRuns: 600, seed: 1 }).map(kindOf))
  expect([...seen].toSorted()).toEqual([...kinds].toSorted())
}

describe("Arbitraries", () => {
  it("Arbitraries has every kind of every union", () => {
    covers(Arbitraries.cleanupError, (error) => error._tag, [
      "CleanupTimeout",
      "AlreadyCleanedUp",
      "CleanupFailed",
      "RegistryShuttingDown"
    ])
    covers(Arbitraries.releaseError, (error) => error._tag, ["CleanupTimeout", "CleanupFailed"])
    covers(Arbitraries.patinoxError, (error) => error._tag, ["Validation", "Execution", "Network", "Configuration"])
    covers(Arbitraries.record, (record) => record.trigger, Arbitraries.triggers)
    covers(Arbitraries.fault, (fault) => fault._tag, [
      "None",
      "Fail",
      "Die",
      "Throw",
      "Hang",
      "IgnoreInterruption",
      "Slow",
      "AcquireSlowly",
      "AcquireFails",
      "Untellable"
    ])
  })

  it("Arbitraries give values that their modules recognise", () => {
    fc.assert(fc.property(Arbitraries.id, ResourceId.is))
    fc.assert(fc.property(Arbitraries.cleanupError, CleanupError.is))
    fc.assert(fc.property(Arbitraries.patinoxError, PatinoxError.is))
    fc.assert(fc.property(Arbitraries.resourceEvent, (event) => {
      expect(ResourceEvent.is(event)).toBe(true)
      expect(ResourceEvent.format(event)).not.toBe("")
    }))
  })

  it("Arbitraries give policies that a guard takes", async () => {
    await fc.assert(
      fc.asyncProperty(Arbitraries.policy, (recovery) =>
        Effect.runPromise(
          ResourceGuard.use(Effect.succeed(1), () => Effect.void, { recovery })(() => Effect.void).pipe(
            Effect.provide(ResourceRegistry.layer)
          )
        )),
      { numRuns: 20 }
    )
  })

  it("Arbitraries give programs of at least 20 commands, of every kind, that can be printed", () => {
    const programs = fc.sample(Arbitraries.program, { numRuns: 100, seed: 1 })
    for (const program of programs) expect(program.commands.length).toBeGreaterThanOrEqual(20)
    expect(new Set(programs.flatMap(({ commands }) => commands.map((command) => command._tag))).size).toBe(17)
    const text = Program.format(programs[0]!)
    expect(text.split("\n").length).toBe(programs[0]!.commands.length + 1)
  })
})
