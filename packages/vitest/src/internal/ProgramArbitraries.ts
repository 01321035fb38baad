/** Arbitrary faults, recovery plans and programs; `Arbitraries` has them. */
import { CleanupPriority, type RecoveryPolicy } from "@patinox/core"
import * as fc from "fast-check"
import * as Fault from "../Fault.js"
import type { Command, GuardPlan, Program } from "../Program.js"
import * as RecoveryPlan from "../RecoveryPlan.js"
import * as Untellable from "../Untellable.js"

const priority = fc.constantFrom(...CleanupPriority.values)
const partial = { requiredKeys: [] }

const untellable = fc.tuple(
  fc.constantFrom(...Untellable.forms),
  fc.constantFrom("fails" as const, "dies" as const, "throws" as const)
).map(([form, ends]) => Fault.untellable(form, ends))

/** Each kind of fault of a release, the healthy one first. */
export const releaseFault: fc.Arbitrary<Fault.Fault> = fc.oneof(
  fc.constant(Fault.none),
  fc.constant(Fault.failOnce),
  fc.constant(Fault.failForGood),
  fc.constant(Fault.die),
  fc.constant(Fault.throws),
  fc.constant(Fault.hang),
  fc.constant(Fault.ignoreInterruption),
  fc.integer({ min: 1, max: 20_000 }).map((millis): Fault.Fault => ({ _tag: "Slow", millis })),
  untellable
)

/** Any fault, those of the acquire included. */
export const fault: fc.Arbitrary<Fault.Fault> = fc.oneof(
  { weight: 16, arbitrary: releaseFault },
  { weight: 1, arbitrary: fc.constant(Fault.acquireFails) },
  {
    weight: 3,
    arbitrary: fc.integer({ min: 1, max: 5_000 }).map((millis): Fault.Fault => ({ _tag: "AcquireSlowly", millis }))
  }
)

const strategy = fc.constantFrom("Retry" as const, "Fallback" as const, "Fail" as const)

/** Any recovery plan; what is left out is left to the default. */
export const recoveryPlan: fc.Arbitrary<RecoveryPlan.RecoveryPlan> = fc.record({
  strategy: fc.record({ CleanupTimeout: strategy, CleanupFailed: strategy }),
  retry: fc.record({ times: fc.nat({ max: 3 }), delayMillis: fc.nat({ max: 2_000 }) }),
  fallback: fc.constantFrom("succeeds" as const, "fails" as const, "dies" as const, "hangs" as const)
}, partial)

/** Any recovery policy. */
export const policy: fc.Arbitrary<RecoveryPolicy.RecoveryPolicy<unknown, unknown>> = recoveryPlan.map(
  RecoveryPlan.toPolicy
)

const choice = fc.nat({ max: 20 })

/** Any guard of a program. */
export const guardPlan: fc.Arbitrary<GuardPlan> = fc.record({
  fault,
  acquireMillis: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, {
    weight: 1,
    arbitrary: fc.integer({ min: 1, max: 6_000 })
  }),
  acquireInterruptible: fc.boolean(),
  priority,
  timeoutMillis: fc.integer({ min: 500, max: 20_000 }),
  share: fc.integer({ min: 1, max: 6 }),
  interruptible: fc.boolean(),
  recovery: fc.option(recoveryPlan, { nil: undefined, freq: 3 }),
  dependsOn: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: choice }
  ),
  close: fc.oneof({ weight: 2, arbitrary: fc.constant("wait" as const) }, {
    weight: 1,
    arbitrary: fc.constant("background" as const)
  })
}).map(({ share, ...plan }) => ({ ...plan, attemptTimeoutMillis: Math.max(1, Math.floor(plan.timeoutMillis / share)) }))

const command = <Tag extends Command["_tag"]>(
  tag: Tag,
  weight: number,
  fields: {
    [K in Exclude<keyof Extract<Command, { readonly _tag: Tag }>, "_tag">]: fc.Arbitrary<
      Extract<Command, { readonly _tag: Tag }>[K]
    >
  }
): fc.WeightedArbitrary<Command> => ({
  weight,
  arbitrary: fc.record({ _tag: fc.constant(tag), ...fields } as never) as fc.Arbitrary<Command>
})

const openScope = command("OpenScope", 6, { parallel: fc.boolean() })
const makeGuard = command("MakeGuard", 70, { scope: choice, guard: guardPlan })

/** Any command, at random and so that programs come to something. */
export const anyCommand: fc.Arbitrary<Command> = fc.oneof(
  openScope,
  makeGuard,
  command("CloseScope", 9, { scope: choice, exit: fc.constantFrom("success", "failure", "interruption") }),
  command("Cleanup", 10, { guard: choice, callers: fc.integer({ min: 1, max: 3 }) }),
  command("Disarm", 3, { guard: choice }),
  command("Transfer", 5, { guard: choice, scope: choice }),
  command("Schedule", 16, { guard: choice, priority: fc.option(priority, { nil: undefined }) }),
  command("Unschedule", 4, { scheduled: choice }),
  command("CleanupWhere", 4, { priority }),
  command("ForceCleanupAll", 1, {}),
  command("Borrow", 9, { guard: choice }),
  command("FinishBorrow", 4, { borrow: choice }),
  command("RetryDeadLetter", 14, { letter: choice }),
  command("LetGo", 4, { guard: choice }),
  command("Interrupt", 5, { fiber: choice }),
  command("Advance", 24, { millis: fc.oneof(fc.constantFrom(1, 500, 5_000), fc.integer({ min: 1, max: 12_000 })) }),
  command("Shutdown", 1, {})
)

/** Any program of 20 to 30 commands; the first of them open scopes and make guards. */
export const program: fc.Arbitrary<Program> = fc.record({
  concurrency: fc.constantFrom(1, 2, 16),
  shutdownTimeoutMillis: fc.constantFrom(5_000, 25_000),
  slowAfterMillis: fc.constantFrom(1_000, 60_000),
  beginning: fc.tuple(openScope.arbitrary, openScope.arbitrary, makeGuard.arbitrary, makeGuard.arbitrary),
  rest: fc.array(anyCommand, { minLength: 16, maxLength: 26, size: "max" })
}).map(({ beginning, rest, ...options }) => ({ ...options, commands: [...beginning, ...rest] }))
