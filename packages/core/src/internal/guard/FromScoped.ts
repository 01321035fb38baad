/**
 * A scoped effect of another library as one resource. It runs in a `ResourceScope` that nobody else sees, and its
 * release closes that scope, with each of its finalizers limited and reported. Not for effects whose parts are guards
 * in their own right: those are in the registry already.
 */
import { Effect, Exit, Scope } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import * as CleanupReport from "../../CleanupReport.js"
import { Validation } from "../../PatinoxError.js"
import type * as ResourceGuard from "../../ResourceGuard.js"
import { registryOf, ResourceRegistry } from "../../ResourceRegistry.js"
import * as ResourceScope from "../../ResourceScope.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import { resolveGuard } from "../cleanup/GuardOptions.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import { TaggedError } from "../kernel/TaggedError.js"
import type { Registry } from "../registry/Registry.js"
import * as Acquire from "./Acquire.js"

/** Of the finalizers that a scoped effect left in its scope, some failed, died or did not end in time. */
export class FinalizersFailed extends /* @__PURE__ */ TaggedError("FinalizersFailed")<{
  /** The outcome of each of them. */
  readonly report: CleanupReport.CleanupReport
}> {
  override get message(): string {
    const { records } = this.report
    const failed = records.flatMap(({ error, outcome, typeName }) =>
      outcome === "running" ? [`${typeName} is still running`] : error === undefined ? [] : [error.message]
    )
    return `${failed.length} of ${records.length} finalizers did not succeed: ${failed.join("; ")}`
  }
}

/** Runs an effect in a scope that is closed before a failure goes on. */
export const inScope = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  scope: Scope.CloseableScope
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(
    Effect.exit(Scope.extend(effect, scope)),
    (exit) => Exit.isSuccess(exit) ? exit : Effect.andThen(Scope.close(scope, exit), exit)
  )

const close = (scope: ResourceScope.ResourceScope, exit: Exit.Exit<unknown, unknown>) =>
  Effect.flatMap(
    ResourceScope.close(scope, exit),
    (report) => CleanupReport.isClean(report) ? Effect.void : Effect.fail(new FinalizersFailed({ report }))
  )

/** The form of `fromScoped`. */
export interface FromScoped {
  <A, E, R, RS = never, RF = never, D extends ResourceGuard.Dependencies = readonly []>(
    effect: Effect.Effect<A, E, R>,
    options?: Omit<ResourceGuard.GuardOptions<NoInfer<A>, FinalizersFailed, RS, RF, D>, "interruptible">
  ): Effect.Effect<
    ResourceGuard.ResourceGuard<A, FinalizersFailed>,
    E | CleanupError.RegistryShuttingDown | ResourceGuard.DependencyError<D>,
    Exclude<R, Scope.Scope> | RS | RF | Scope.Scope | ResourceRegistry
  >
}

/** Interruptible where the effect is: its scope holds whatever it had opened by then. */
export const make = <A, E, R, B>(
  effect: Effect.Effect<A, E, R>,
  plan: Acquire.AcquirePlan,
  result: (registry: Registry, entry: CleanupTarget, value: A) => B
): Effect.Effect<B, any, any> =>
  Effect.uninterruptibleMask((restore) =>
    Fibers.withFiber((fiber) => {
      const registry = registryOf(Refs.service(fiber, ResourceRegistry))
      const resolved = resolveGuard(plan.options, registry.options.guardDefaults)
      if (resolved instanceof Validation) return Effect.die(resolved)
      const { settings } = resolved
      return Effect.flatMap(
        ResourceScope.make({ timeout: settings.timeout, finalizerTimeout: settings.attemptTimeout }),
        (scope) =>
          Acquire.acquire(fiber, inScope(restore(effect), scope), {
            plan: { ...plan, release: (_, exit) => close(scope, exit) },
            registry,
            scope: Refs.service(fiber, Scope.Scope),
            result
          })
      )
    })
  )
