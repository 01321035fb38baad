/**
 * A resource that misbehaves as told and records what happened to it: how often it was acquired, attempted and released,
 * and whether two attempts ever overlapped. For tests of what cleans it up, ours and yours.
 */
import { type CleanupError, ResourceGuard, type ResourceRegistry } from "@patinox/core"
import { Cause, type Context, Deferred, Effect, Exit, type Layer, type Scope } from "effect"
import * as Fault from "./Fault.js"
import * as Journal from "./Journal.js"
import * as Untellable from "./Untellable.js"

/** How a test resource behaves, and where it writes. */
export interface TestResourceOptions {
  /** Default: none. */
  readonly fault?: Fault.Fault
  /** Default: one of its own. */
  readonly journal?: Journal.Journal
}

/** The options of a test resource's guard. */
export type GuardOptions = ResourceGuard.GuardOptions<TestResource, Fault.ReleaseFault>

type GuardEnv = Scope.Scope | ResourceRegistry.ResourceRegistry
type GuardError = Fault.AcquireFault | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency

/** What a test resource offers. */
export interface TestResource {
  readonly name: string
  readonly fault: Fault.Fault
  readonly journal: Journal.Journal
  readonly acquire: Effect.Effect<TestResource, Fault.AcquireFault>
  readonly release: () => Effect.Effect<void, Fault.ReleaseFault>
  /** A guard of it, named as it is. */
  readonly guard: (
    options?: GuardOptions
  ) => Effect.Effect<ResourceGuard.ResourceGuard<TestResource, Fault.ReleaseFault>, GuardError, GuardEnv>
  /** It as a service, guarded. */
  readonly layer: <I>(
    tag: Context.Tag<I, TestResource>,
    options?: GuardOptions
  ) => Layer.Layer<I, GuardError, ResourceRegistry.ResourceRegistry>
  /** It in an `Effect.acquireRelease`, for comparing; a release that fails dies there. */
  readonly plain: Effect.Effect<TestResource, Fault.AcquireFault, Scope.Scope>
  /** Lets a release that hangs, or ignores interruption, end; the ones to come end at once. */
  readonly letGo: Effect.Effect<void>
  readonly acquired: () => number
  /** How many releases were started. */
  readonly attempts: () => number
  /** How many releases succeeded. */
  readonly released: () => number
  /** How many releases are running. */
  readonly running: () => number
  /** The most releases that ever ran at once; above 1, attempts overlapped. */
  readonly maxConcurrent: () => number
}

/** By way of a cause: `Effect.fail` itself looks at what it is given. */
const untellably = ({ ends, form }: Extract<Fault.Fault, { readonly _tag: "Untellable" }>) => {
  const value = Untellable.make(form)
  if (ends === "throws") throw value
  return Effect.failCause(ends === "dies" ? Cause.die(value) : Cause.fail(value as Fault.ReleaseFault))
}

const behaviour = (
  { fault, name }: { readonly fault: Fault.Fault; readonly name: string },
  attempt: number,
  gate: Deferred.Deferred<void>
): Effect.Effect<void, Fault.ReleaseFault> => {
  switch (fault._tag) {
    case "Fail":
      return attempt <= fault.times ? Effect.fail(new Fault.ReleaseFault({ resource: name, attempt })) : Effect.void
    case "Die":
      return Effect.die(new Error(`Injected defect in the release of ${name}`))
    case "Throw":
      throw new Error(`Injected throw in the release of ${name}`)
    case "Hang":
      return Effect.interruptible(Deferred.await(gate))
    case "IgnoreInterruption":
      return Effect.uninterruptible(Deferred.await(gate))
    case "Slow":
      return Effect.interruptible(Effect.sleep(fault.millis))
    case "Untellable":
      return untellably(fault)
    default:
      return Effect.void
  }
}

/**
 * A resource of that name.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { Fault, TestResource } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const resource = yield* TestResource.make("Database", { fault: Fault.failForGood })
 *   const error = yield* Effect.scoped(Effect.flatMap(resource.guard(), (guard) => Effect.flip(guard.cleanup)))
 *   return [error._tag, resource.attempts(), resource.released()].join(" ")
 * })
 * console.log(await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))) // => CleanupFailed 1 0
 * ```
 */
export const make = (name: string, options?: TestResourceOptions): Effect.Effect<TestResource> =>
  Effect.map(Deferred.make<void>(), (gate) => {
    const fault = options?.fault ?? Fault.none
    const journal = options?.journal ?? Journal.make()
    const counts = { acquired: 0, attempts: 0, released: 0, running: 0, maxConcurrent: 0 }

    const started = () => {
      counts.maxConcurrent = Math.max(counts.maxConcurrent, ++counts.running)
      journal.write("attempted", name)
    }
    const ended = (exit: Exit.Exit<unknown, unknown>) => {
      counts.running--
      if (Exit.isSuccess(exit)) counts.released++
      journal.write(Exit.isSuccess(exit) ? "released" : Exit.isInterrupted(exit) ? "interrupted" : "failed", name)
    }

    const release = () => {
      const attempt = ++counts.attempts
      let behaving: Effect.Effect<void, Fault.ReleaseFault>
      try {
        behaving = behaviour({ fault, name }, attempt, gate)
      } catch (thrown) {
        started()
        ended(Exit.die(thrown))
        throw thrown
      }
      // No interruption gets between counting it as started and seeing it end.
      return Effect.uninterruptibleMask((restore) => {
        started()
        return Effect.onExit(restore(behaving), (exit) => Effect.sync(() => ended(exit)))
      })
    }

    const acquire: Effect.Effect<TestResource, Fault.AcquireFault> = Effect.andThen(
      fault._tag === "AcquireSlowly" ? Effect.sleep(fault.millis) : Effect.void,
      Effect.suspend(() => {
        if (fault._tag === "AcquireFails") return Effect.fail(new Fault.AcquireFault({ resource: name }))
        counts.acquired++
        journal.write("acquired", name)
        return Effect.succeed(resource)
      })
    )

    const resource: TestResource = {
      name,
      fault,
      journal,
      acquire,
      release,
      guard: (options) => ResourceGuard.make(acquire, release, { typeName: name, ...options }),
      layer: (tag, options) => ResourceGuard.layer(tag, acquire, release, { typeName: name, ...options }),
      plain: Effect.acquireRelease(acquire, () => Effect.orDie(Effect.suspend(release))),
      letGo: Effect.asVoid(Deferred.succeed(gate, undefined)),
      acquired: () => counts.acquired,
      attempts: () => counts.attempts,
      released: () => counts.released,
      running: () => counts.running,
      maxConcurrent: () => counts.maxConcurrent
    }
    return resource
  })
