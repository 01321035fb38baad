/**
 * The way of a resource into the registry: a place is reserved before the acquire, and registration, finalizer and
 * recheck come in one step after it, so that an acquire that fails, is interrupted or meets a closed scope leaves nothing.
 */
import { type Context, Effect, type Exit, type Scope } from "effect"
import * as CleanupError from "../CleanupError.js"
import { defaultPriority } from "../CleanupPriority.js"
import { Validation } from "../PatinoxError.js"
import type { ResourceId } from "../ResourceId.js"
import { type Asker, askerOf, awaitEnd, wouldDeadlock } from "./Asker.js"
import type { CallSite } from "./CallSite.js"
import { type AnyRelease, Entry } from "./Entry.js"
import { type GuardSettings, resolveGuard } from "./Options.js"
import type { Registry } from "./Registry.js"
import * as Seam from "./Seam.js"
import * as Tracing from "./Tracing.js"

/** What a resource may depend on: an id, a guard, or the Tag of a service that a guard layer built. */
export type Dependency = ResourceId | { readonly id: ResourceId } | Context.Tag<any, any>

export interface Plan {
  readonly options: GuardSettings | undefined
  readonly release: AnyRelease
  readonly dependencies: ReadonlyArray<Dependency> | undefined
  readonly tagKey: string | undefined
  readonly site: CallSite | undefined
}

type Refusal = Validation | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency

const byTag = (registry: Registry, fiber: Seam.CurrentFiber, tag: Context.Tag<any, any>): Entry | undefined => {
  const tagged = [...registry.byTag.get(tag.key) ?? []]
  // Of several services built for one Tag, the one that this fiber was given; else the newest.
  const given = Seam.serviceOrUndefined(fiber, tag)
  return tagged.find((entry) => entry.value === given && given !== undefined) ?? tagged[tagged.length - 1]
}

const resolve = (
  registry: Registry,
  fiber: Seam.CurrentFiber,
  dependencies: ReadonlyArray<Dependency>,
  dependent: Entry
): ReadonlyArray<Entry> | CleanupError.UnknownDependency => {
  const entries: Array<Entry> = []
  for (const dependency of dependencies) {
    const isTag = typeof dependency !== "string" && "key" in dependency
    const name = typeof dependency === "string" ? dependency : isTag ? dependency.key : dependency.id
    const entry = isTag ? byTag(registry, fiber, dependency) : registry.entries.get(name as ResourceId)
    if (entry === undefined || !entry.isUsable) {
      return new CleanupError.UnknownDependency({
        typeName: dependent.typeName,
        dependency: name,
        reason: entry === undefined && (isTag || typeof dependency === "string") ? "unknown" : "cleaned up"
      })
    }
    entries.push(entry)
  }
  return entries
}

/** Validates, and takes a place in the registry; or says why not. */
export const reserve = (registry: Registry, fiber: Seam.CurrentFiber, asker: Asker, plan: Plan): Entry | Refusal => {
  const settings = resolveGuard(plan.options, registry.options.guardDefaults)
  if (settings instanceof Validation) return settings
  const span = Seam.spanOf(fiber)
  const name = plan.options?.typeName ?? plan.tagKey ?? (span?._tag === "Span" ? span.name : undefined)
  const entry = new Entry(
    registry.nextId(),
    name,
    name !== undefined && registry.options.captureStacks === "off" ? undefined : plan.site,
    settings,
    plan.options?.priority ?? defaultPriority,
    plan.options?.sizeBytes,
    plan.options?.metadata,
    plan.release,
    Seam.originOf(fiber),
    Seam.fiberNumber(fiber),
    span
  )
  if (registry.refuses(asker)) return registry.shuttingDown(entry.typeName)
  if (plan.dependencies !== undefined && plan.dependencies.length > 0) {
    const dependencies = resolve(registry, fiber, plan.dependencies, entry)
    if (dependencies instanceof CleanupError.UnknownDependency) return dependencies
    entry.dependencies = dependencies
  }
  entry.tagKey = plan.tagKey
  registry.reserve(entry)
  return entry
}

/** What a closing scope does: it starts the cleanup, or waits for the one that runs. */
const finalizer =
  (registry: Registry, entry: Entry, scope: Scope.Scope) => (exit: Exit.Exit<unknown, unknown>, closer?: Asker) =>
    Seam.uninterruptibly((fiber): Effect.Effect<void> => {
      if (entry.scope !== scope) return Effect.void
      if (entry.run === undefined && entry.settings.close === "background" && registry.phase !== "Closed") {
        entry.exit = exit
        registry.schedule(entry, "background")
        return Effect.void
      }
      const asker = closer ?? askerOf(fiber)
      const run = entry.run ?? registry.start(entry, "scope", exit, asker)
      if (run.isDone) return afterClose(entry, exit)
      if (wouldDeadlock(asker, run)) return Effect.void
      return Effect.flatMap(awaitEnd(entry, asker), () => afterClose(entry, exit))
    })

const afterClose = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  const { run } = entry
  return entry.settings.onFailure === "die" && exit._tag === "Success" && run?.hasFailed === true &&
      // Who called for an early cleanup has its typed error.
      run.trigger !== "cleanup"
    ? Effect.die(run.error)
    : Effect.void
}

/** Binds the resource to a scope; where that is closed, it is cleaned up at once, as any finalizer added there. */
export const bind = (registry: Registry, entry: Entry, scope: Scope.Scope, asker: Asker): Effect.Effect<void> => {
  const closed = Seam.closedExit(scope)
  entry.scope = scope
  if (closed === undefined) {
    Seam.putFinalizer(scope, entry, finalizer(registry, entry, scope))
    return Effect.void
  }
  registry.start(entry, "scope", closed, asker)
  return awaitEnd(entry, asker)
}

const commit = <A, B>(
  registry: Registry,
  entry: Entry,
  value: A,
  scope: Scope.Scope | undefined,
  asker: Asker,
  result: (registry: Registry, entry: Entry, value: A) => B
): Effect.Effect<B, CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency> => {
  const refused = registry.refuses(asker)
  const lost = entry.dependencies?.find((dependency) => !dependency.isUsable)
  registry.register(entry, value, asker)
  if (refused || lost !== undefined) {
    registry.start(entry, "acquire", registry.forcedExit, asker)
    return Effect.flatMap(awaitEnd(entry, asker), () => {
      registry.endReservation(entry)
      return Effect.fail(
        lost === undefined
          ? registry.shuttingDown(entry.typeName)
          : new CleanupError.UnknownDependency({ typeName: entry.typeName, dependency: lost.id, reason: "cleaned up" })
      )
    })
  }
  registry.endReservation(entry)
  const given = Effect.succeed(result(registry, entry, value))
  if (scope === undefined) return given
  const bound = bind(registry, entry, scope, asker)
  return bound === Effect.void ? given : Effect.andThen(bound, given)
}

/** Runs the acquire and registers what it gives. Must run inside an uninterruptible region. */
export const acquire = <A, E, R, B>(
  registry: Registry,
  fiber: Seam.CurrentFiber,
  effect: Effect.Effect<A, E, R>,
  plan: Plan,
  scope: Scope.Scope | undefined,
  result: (registry: Registry, entry: Entry, value: A) => B
): Effect.Effect<B, E | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency, R> => {
  const asker = askerOf(fiber)
  const entry = reserve(registry, fiber, asker, plan)
  if (entry instanceof Validation) return Effect.die(entry)
  if (!(entry instanceof Entry)) return Effect.fail(entry)
  return Effect.matchCauseEffect(Seam.tracingOf(fiber) ? Tracing.acquire(entry, effect) : effect, {
    onFailure: (cause) => {
      registry.cancel(entry)
      return Effect.failCause(cause)
    },
    onSuccess: (value) => commit(registry, entry, value, scope, asker, result)
  })
}
