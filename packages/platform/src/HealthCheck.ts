/**
 * Whether something that the application needs is there: checks that `/ready` of `HealthApi` asks. The code that builds
 * a thing adds its check, and takes it away with the thing. Not for liveness: a process that lacks its database should
 * not be restarted for it.
 */
import { PatinoxError } from "@patinox/core"
import { checkDuration, checkPause } from "@patinox/core/kernel"
import { Context, type Duration, Effect, Layer, Scope } from "effect"
import * as CheckRun from "./internal/CheckRun.js"

export type { CheckResult } from "./internal/CheckRun.js"

/** How a check is run. */
export interface CheckOptions {
  /** What does not end by then is interrupted, and has timed out. Above 0. Default 500 milliseconds. */
  readonly timeout?: Duration.DurationInput
  /** For how long a result holds; 0 asks again each time. Default 1 second. */
  readonly cacheFor?: Duration.DurationInput
}

/** What the checks offer. */
export interface Shape {
  /** The result of each, by name; it takes as long as the slowest one's limit at most. */
  readonly results: Effect.Effect<ReadonlyArray<CheckRun.CheckResult>>
  /** Adds a check until the scope closes. */
  readonly add: <E, R>(
    name: string,
    check: Effect.Effect<unknown, E, R>,
    options?: CheckOptions
  ) => Effect.Effect<void, PatinoxError.Validation, Exclude<R, Scope.Scope> | Scope.Scope>
}

/** The checks of the application. */
export class HealthChecks extends Context.Tag("@patinox/platform/HealthChecks")<HealthChecks, Shape>() {}

const limitsOf = (options: CheckOptions): CheckRun.CheckLimits | PatinoxError.Validation => {
  const timeout = checkDuration("timeout", options.timeout ?? 500)
  if (timeout instanceof PatinoxError.Validation) return timeout
  const cacheFor = checkPause("cacheFor", options.cacheFor ?? 1_000)
  return cacheFor instanceof PatinoxError.Validation ? cacheFor : { timeout, cacheFor }
}

const make = (): Shape => {
  const runs = new Map<string, CheckRun.CheckRun>()
  const sorted = () => [...runs.values()].sort((a, b) => a.name < b.name ? -1 : 1)
  return {
    results: Effect.suspend(() => Effect.forEach(sorted(), ({ result }) => result, { concurrency: "unbounded" })),
    add: (name, check, options = {}) =>
      Effect.uninterruptible(Effect.contextWithEffect((context: Context.Context<any>) => {
        const limits = limitsOf(options)
        if (limits instanceof PatinoxError.Validation) return Effect.fail(limits)
        if (typeof name !== "string" || name === "" || runs.has(name)) {
          return Effect.fail(
            PatinoxError.invalidOption("name", name, "a text that is not empty and that no other check has")
          )
        }
        // Each run in a scope of its own, so that a check may acquire what it asks.
        const run = CheckRun.make(name, Effect.provide(Effect.scoped(check), context), limits)
        runs.set(name, run)
        const remove = Effect.suspend(() => {
          runs.delete(name)
          return run.close
        })
        return Scope.addFinalizer(Context.get(context, Scope.Scope), remove)
      }))
  }
}

/** Where checks are added, and asked. A constant: layers that provide it share one, so provide it once, at the top. */
export const layerChecks: Layer.Layer<HealthChecks> = /* @__PURE__ */ Layer.sync(HealthChecks, make)

/**
 * Adds a check until the layer is released: it passes if it succeeds, with whatever, and fails if it fails or dies. It
 * may use a scope. Asked by many at once it runs once; its result holds for `cacheFor`. A check that does not end by
 * `timeout` has timed out, and while it ignores its interruption it is not run again. A change is logged, with its
 * cause. A bad option, and a name that another check has, fail with a `Validation`.
 *
 * ```ts
 * import { HealthCheck } from "@patinox/platform"
 * import { Effect, Layer } from "effect"
 *
 * const database = HealthCheck.layer("database", Effect.succeed("select 1"))
 * const queue = HealthCheck.layer("queue", Effect.fail("refused"))
 * const program = Effect.flatMap(HealthCheck.HealthChecks, (checks) => checks.results).pipe(
 *   Effect.provide(Layer.provideMerge(Layer.merge(database, queue), HealthCheck.layerChecks))
 * )
 * const results = await Effect.runPromise(program)
 * console.log(results.map(({ name, status }) => `${name} ${status}`)) // => [ 'database passing', 'queue failing' ]
 * ```
 */
export const layer = <E, R>(
  name: string,
  check: Effect.Effect<unknown, E, R>,
  options?: CheckOptions
): Layer.Layer<never, PatinoxError.Validation, Exclude<R, Scope.Scope> | HealthChecks> =>
  Layer.scopedDiscard(Effect.flatMap(HealthChecks, (checks) => checks.add(name, check, options)))
