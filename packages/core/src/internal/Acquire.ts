/**
 * The way of a resource into the registry: a place is reserved before the acquire, and registration, finalizer and
 * recheck come in one step after it, so that an acquire that fails, is interrupted or meets a closed scope leaves nothing.
 */
import { type Context, Effect, type Exit, type Scope } from "effect"
import * as CleanupError from "../CleanupError.js"
import { defaultPriority } from "../CleanupPriority.js"
import type { Trigger } from "../CleanupReport.js"
import { Validation } from "../PatinoxError.js"
import type { ResourceId } from "../ResourceId.js"
import { type Asker, askerOf, awaitEnd, startFor } from "./Asker.js"
import type { CallSite } from "./CallSite.js"
import { type AnyRelease, Entry } from "./Entry.js"
import { type GuardSettings, readOnce, resolveGuard } from "./Options.js"
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
  /** What it takes the place of, once it is there. */
  readonly replaces?: Entry | undefined
  readonly site: CallSite | undefined
}

type Refusal = Validation | CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency

const byTag = (
  registry: Registry,
  fiber: Seam.CurrentFiber,
  tag: Context.Tag<any, any>,
  replaces: Entry | undefined
): Entry | undefined => {
  const tagged = [...registry.byTag.get(tag.key) ?? []].filter((entry) => entry !== replaces)
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
    const entry = isTag
      ? byTag(registry, fiber, dependency, dependent.replaces)
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
const circular = ({ dependencies, replaces }: Entry): Entry | undefined => {
  if (replaces === undefined || dependencies === undefined) return undefined
  const above = new Set([replaces])
  // A set hands out what is added to it on the way.
  for (const entry of above) for (const dependent of entry.dependents ?? []) above.add(dependent)
  return dependencies.find((dependency) => above.has(dependency))
}

const unavailable = (
  { typeName }: Entry,
  dependency: string,
  reason: CleanupError.UnknownDependency["reason"]
): CleanupError.UnknownDependency => new CleanupError.UnknownDependency({ typeName, dependency, reason })

/** Validates, and takes a place in the registry; or says why not. */
export const reserve = (registry: Registry, fiber: Seam.CurrentFiber, asker: Asker, plan: Plan): Entry | Refusal => {
  const options = plan.options && readOnce(plan.options)
  const settings = resolveGuard(options, registry.options.guardDefaults)
  if (settings instanceof Validation) return settings
  const span = Seam.spanOf(fiber)
  const name = options?.typeName ?? plan.tagKey ?? (span?._tag === "Span" ? span.name : undefined)
  const entry = new Entry(
    registry.nextId(),
    name,
    name !== undefined && registry.options.captureStacks === "off" ? undefined : plan.site,
    settings,
    options?.priority ?? defaultPriority,
    options?.sizeBytes,
    options?.metadata,
    plan.release,
    Seam.originOf(fiber),
    fiber.id(),
    span
  )
  entry.replaces = plan.replaces
  if (registry.refuses(asker)) return registry.shuttingDown(entry.typeName)
  if (plan.dependencies !== undefined && plan.dependencies.length > 0) {
    const dependencies = resolve(registry, fiber, plan.dependencies, entry)
    if (dependencies instanceof CleanupError.UnknownDependency) return dependencies
    entry.dependencies = dependencies
    const around = circular(entry)
    if (around !== undefined) return unavailable(entry, around.id, "circular")
  }
  entry.tagKey = plan.tagKey
  entry.isSpanNamed = name !== undefined && name !== plan.options?.typeName && name !== plan.tagKey
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
      const ended = endNow(registry, entry, "scope", exit, closer ?? askerOf(fiber))
      return ended === Effect.void ? afterClose(entry, exit) : Effect.flatMap(ended, () => afterClose(entry, exit))
    })

/** Starts the cleanup unless it runs already, and waits for its end, as far as that does not wait for who asks. */
export const endNow = (
  registry: Registry,
  entry: Entry,
  trigger: Trigger,
  exit: Exit.Exit<unknown, unknown>,
  asker: Asker
): Effect.Effect<void> => {
  if (entry.run === undefined) {
    if (!entry.isUsable) return Effect.void
    startFor(asker, entry, () => registry.start(entry, trigger, exit, asker))
  }
  return entry.run!.isDone ? Effect.void : awaitEnd(entry, asker)
}

const afterClose = (entry: Entry, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> => {
  const { run } = entry
  return entry.settings.onFailure === "die" && exit._tag === "Success" && run?.hasFailed === true &&
      // Who called for an early cleanup has its typed error.
      run.trigger !== "cleanup"
    ? Effect.die(run.error)
    : Effect.void
}

/**
 * Binds the resource to a scope. Gives the exit of a closed one, where it is to be cleaned up at once, as any finalizer
 * added there.
 */
export const bind = (registry: Registry, entry: Entry, scope: Scope.Scope): Exit.Exit<unknown, unknown> | undefined => {
  const closed = Seam.closedExit(scope)
  if (entry.scope !== undefined) Seam.dropFinalizer(entry.scope, entry)
  entry.scope = scope
  Seam.putFinalizer(scope, entry, finalizer(registry, entry, scope))
  return closed
}

const commit = <A, B>(
  registry: Registry,
  entry: Entry,
  value: A,
  scope: Scope.Scope | undefined,
  asker: Asker,
  result: (registry: Registry, entry: Entry, value: A) => B
): Effect.Effect<B, CleanupError.RegistryShuttingDown | CleanupError.UnknownDependency> => {
  // A circle, too, where others have been refreshed meanwhile.
  const lost = entry.dependencies?.find((dependency) => !dependency.isUsable) ?? circular(entry)
  const refusal = lost !== undefined
    ? unavailable(entry, lost.id, lost.isUsable ? "circular" : "cleaned up")
    : registry.refuses(asker)
    ? registry.shuttingDown(entry.typeName)
    : undefined
  entry.replaces = undefined
  registry.register(entry, value, asker)
  if (refusal !== undefined) {
    registry.tellRegistered(entry)
    return Effect.flatMap(endNow(registry, entry, "acquire", registry.forcedExit, asker), () => {
      registry.endReservation(entry)
      return Effect.fail(refusal)
    })
  }
  registry.endReservation(entry)
  const given = Effect.succeed(result(registry, entry, value))
  const closed = scope && bind(registry, entry, scope)
  registry.tellRegistered(entry)
  return closed === undefined ? given : Effect.andThen(endNow(registry, entry, "scope", closed, asker), given)
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
    onSuccess: (value) => {
      // What the acquire has set is there for the release, too.
      entry.origin = Seam.laterOrigin(entry.origin, Seam.originOf(fiber))
      return commit(registry, entry, value, scope, asker, result)
    }
  })
}
