/**
 * The way of a resource into the registry: a place is reserved before the acquire, and registration, finalizer and
 * recheck come in one step after it, so that an acquire that fails, is interrupted or meets a closed scope leaves nothing.
 */
import { type Context, Effect, type Exit, type Scope } from "effect"
import * as CleanupError from "../../CleanupError.js"
import { Validation } from "../../PatinoxError.js"
import type { ResourceId } from "../../ResourceId.js"
import {
  awaitEnd,
  type CallerContext,
  callerOf,
  type CleanupStart,
  forcedExit,
  startFor
} from "../cleanup/CallerContext.js"
import { type AnyRelease, CleanupTarget } from "../cleanup/CleanupTarget.js"
import { type GuardSettings, resolveGuard } from "../cleanup/GuardOptions.js"
import * as Tracing from "../cleanup/Tracing.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import * as Scopes from "../effect3/Scopes.js"
import type { CallSite } from "../kernel/CallSite.js"
import type { Registry } from "../registry/Registry.js"
import { endReservation } from "../registry/ResourceIndex.js"

/** What a resource may depend on: an id, a guard, or the Tag of a service that a guard layer built. */
export type Dependency = ResourceId | { readonly id: ResourceId } | Context.Tag<any, any>

export interface AcquirePlan {
  readonly options: GuardSettings | undefined
  readonly release: AnyRelease
  readonly dependencies: ReadonlyArray<Dependency> | undefined
  readonly tagKey: string | undefined
  /** What it takes the place of, once it is there, as `refreshable` does. */
  readonly replaces?: CleanupTarget | undefined
  readonly site: CallSite | undefined
}

/** One acquire: what of, where it is registered and bound, and what its caller gets of it. */
export interface Acquisition<A, B> {
  readonly plan: AcquirePlan
  readonly registry: Registry
  readonly scope: Scope.Scope | undefined
  readonly result: (registry: Registry, entry: CleanupTarget, value: A) => B
}

type Refusal = Validation | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency

const byTag = (
  registry: Registry,
  fiber: Fibers.CurrentFiber,
  tag: Context.Tag<any, any>,
  replaces: CleanupTarget | undefined
): CleanupTarget | undefined => {
  const tagged = [...registry.byTag.get(tag.key) ?? []].filter((entry) => entry !== replaces)
  // Of several services built for one Tag, the one that this fiber was given; else the newest.
  const given = Refs.serviceOrUndefined(fiber, tag)
  return tagged.find((entry) => entry.value === given && given !== undefined) ?? tagged[tagged.length - 1]
}

const resolve = (
  registry: Registry,
  fiber: Fibers.CurrentFiber,
  { dependencies, replaces }: AcquirePlan,
  dependent: CleanupTarget
): ReadonlyArray<CleanupTarget> | CleanupError.UnknownDependency => {
  const entries: Array<CleanupTarget> = []
  for (const dependency of dependencies!) {
    const isTag = typeof dependency !== "string" && "key" in dependency
    const name = typeof dependency === "string" ? dependency : isTag ? dependency.key : dependency.id
    const entry = isTag
      ? byTag(registry, fiber, dependency, replaces)
      : registry.entries.get(name as ResourceId)
    if (entry === undefined || !entry.isUsable) {
      const isUnknown = entry === undefined && (isTag || typeof dependency === "string")
      return unavailable(dependent, name, isUnknown ? "unknown" : "cleaned up")
    }
    entries.push(entry)
  }
  return entries
}

/** The dependency that depends, over any number of steps, on what the resource takes the place of. */
const circular = ({ dependencies }: CleanupTarget, replaces: CleanupTarget | undefined): CleanupTarget | undefined => {
  if (replaces === undefined || dependencies === undefined) return undefined
  const above = new Set([replaces])
  // A set hands out what is added to it on the way.
  for (const entry of above) for (const dependent of entry.dependents ?? []) above.add(dependent)
  return dependencies.find((dependency) => above.has(dependency))
}

const unavailable = (
  { typeName }: CleanupTarget,
  dependency: string,
  reason: CleanupError.UnknownDependency["reason"]
): CleanupError.UnknownDependency => new CleanupError.UnknownDependency({ typeName, dependency, reason })

/** Validates, and takes a place in the registry; or says why not. */
export const reserve = (
  registry: Registry,
  fiber: Fibers.CurrentFiber,
  caller: CallerContext,
  plan: AcquirePlan
): CleanupTarget | Refusal => {
  const options = resolveGuard(plan.options, registry.options.guardDefaults)
  if (options instanceof Validation) return options
  const span = Fibers.spanOf(fiber)
  const name = options.typeName ?? plan.tagKey ?? (span?._tag === "Span" ? span.name : undefined)
  const entry = new CleanupTarget(registry.nextId(), name, options, {
    release: plan.release,
    origin: Refs.originOf(fiber),
    owner: fiber.id(),
    span,
    site: name !== undefined && registry.options.captureStacks === "off" ? undefined : plan.site
  })
  if (registry.refuses(caller)) return registry.shuttingDown(entry.typeName)
  if (plan.dependencies !== undefined && plan.dependencies.length > 0) {
    const dependencies = resolve(registry, fiber, plan, entry)
    if (dependencies instanceof CleanupError.UnknownDependency) return dependencies
    entry.dependencies = dependencies
    const around = circular(entry, plan.replaces)
    if (around !== undefined) return unavailable(entry, around.id, "circular")
  }
  entry.tagKey = plan.tagKey
  entry.isSpanName = name !== undefined && name !== options.typeName && name !== plan.tagKey
  registry.reserve(entry)
  return entry
}

/** What a closing scope does: it starts the cleanup, or waits for the one that runs. */
const finalizer =
  (registry: Registry, entry: CleanupTarget, scope: Scope.Scope) =>
  (exit: Exit.Exit<unknown, unknown>, closer?: CallerContext) =>
    Fibers.uninterruptibly((fiber): Effect.Effect<void> => {
      if (entry.scope !== scope) return Effect.void
      if (entry.run === undefined && entry.settings.close === "background" && registry.phase !== "Closed") {
        entry.exit = exit
        registry.schedule(entry, "background")
        return Effect.void
      }
      const ended = endNow(registry, entry, { trigger: "scope", exit, caller: closer ?? callerOf(fiber) })
      return ended === Effect.void ? afterClose(entry, exit) : Effect.flatMap(ended, () => afterClose(entry, exit))
    })

/** Starts the cleanup unless it runs already, and waits for its end, as far as that does not wait for the caller. */
export const endNow = (registry: Registry, entry: CleanupTarget, start: CleanupStart): Effect.Effect<void> => {
  const { caller } = start
  if (entry.run === undefined) {
    if (!entry.isUsable) return Effect.void
    startFor(caller, entry, () => registry.start(entry, start))
  }
  return entry.run!.isDone ? Effect.void : awaitEnd(entry, caller)
}

const afterClose = (entry: CleanupTarget, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  const { run } = entry
  return entry.settings.onFailure === "die" && exit._tag === "Success" && run?.hasFailed === true &&
      // Who called for an early cleanup has its typed error.
      run.trigger !== "cleanup"
    ? Effect.die(run.error)
    : Effect.void
}

/**
 * Binds the resource to a scope. Gives the exit of a scope that is closed: the caller must then clean up at once, as
 * with any finalizer added there.
 */
export const bind = (
  registry: Registry,
  entry: CleanupTarget,
  scope: Scope.Scope
): Exit.Exit<unknown, unknown> | undefined => {
  const closed = Scopes.closedExit(scope)
  if (entry.scope !== undefined) Scopes.dropFinalizer(entry.scope, entry)
  entry.scope = scope
  Scopes.putFinalizer(scope, entry, finalizer(registry, entry, scope))
  return closed
}

const commit = <A, B>(
  { plan: { replaces }, registry, result, scope }: Acquisition<A, B>,
  entry: CleanupTarget,
  value: A,
  caller: CallerContext
): Effect.Effect<B, CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency> => {
  // A circle, too, where others have been refreshed meanwhile.
  const lost = entry.dependencies?.find((dependency) => !dependency.isUsable) ?? circular(entry, replaces)
  const refusal = lost !== undefined
    ? unavailable(entry, lost.id, lost.isUsable ? "circular" : "cleaned up")
    : registry.refuses(caller)
    ? registry.shuttingDown(entry.typeName)
    : undefined
  registry.register(entry, value, caller)
  if (refusal !== undefined) {
    registry.reporter.registered(entry)
    return Effect.flatMap(endNow(registry, entry, { trigger: "acquire", exit: forcedExit, caller }), () => {
      endReservation(entry)
      return Effect.fail(refusal)
    })
  }
  endReservation(entry)
  const given = Effect.succeed(result(registry, entry, value))
  const closed = scope && bind(registry, entry, scope)
  registry.reporter.registered(entry)
  return closed === undefined
    ? given
    : Effect.andThen(endNow(registry, entry, { trigger: "scope", exit: closed, caller }), given)
}

/** Runs the acquire and registers what it gives. Must run inside an uninterruptible region. */
export const acquire = <A, E, R, B>(
  fiber: Fibers.CurrentFiber,
  effect: Effect.Effect<A, E, R>,
  acquisition: Acquisition<A, B>
): Effect.Effect<B, E | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency, R> => {
  const { plan, registry } = acquisition
  const caller = callerOf(fiber)
  const entry = reserve(registry, fiber, caller, plan)
  if (entry instanceof Validation) return Effect.die(entry)
  if (!(entry instanceof CleanupTarget)) return Effect.fail(entry)
  return Effect.matchCauseEffect(Fibers.tracingOf(fiber) ? Tracing.acquire(entry, effect) : effect, {
    onFailure: (cause) => {
      registry.cancel(entry)
      return Effect.failCause(cause)
    },
    onSuccess: (value) => {
      // What the acquire has set is there for the release, too.
      entry.origin = Refs.laterOrigin(entry.origin, Refs.originOf(fiber))
      return commit(acquisition, entry, value, caller)
    }
  })
}
