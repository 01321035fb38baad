/**
 * The service that knows every live resource and cleans them up: by priority, bounded, with recovery, and with a report.
 * Provide it once, at the top of the app, so that it closes last; closing its layer is a shutdown.
 */
import { type Config, type ConfigError, Context, Effect, Exit, Layer, Scope, type Stream } from "effect"
import type * as CleanupError from "./CleanupError.js"
import * as CleanupPriority from "./CleanupPriority.js"
import type { CleanupReport } from "./CleanupReport.js"
import { awaitEnd, type CallerContext, callerOf, limitOf, startFor } from "./internal/cleanup/CallerContext.js"
import * as Log from "./internal/cleanup/CleanupLog.js"
import { CleanupTarget, gone, infoOf } from "./internal/cleanup/CleanupTarget.js"
import { type GuardSettings } from "./internal/cleanup/GuardOptions.js"
import * as Clocks from "./internal/effect3/Clocks.js"
import * as Fibers from "./internal/effect3/Fibers.js"
import * as Refs from "./internal/effect3/Refs.js"
import * as Scopes from "./internal/effect3/Scopes.js"
import { endNow, reserve } from "./internal/guard/Acquire.js"
import { type CallSite, callSite, startCapturing } from "./internal/kernel/CallSite.js"
import { wrongChoice } from "./internal/kernel/Options.js"
import { ShutdownHost } from "./internal/kernel/ShutdownHost.js"
import { TaggedError } from "./internal/kernel/TaggedError.js"
import * as UserFunction from "./internal/kernel/UserFunction.js"
import { split } from "./internal/registry/Monitors.js"
import { Registry } from "./internal/registry/Registry.js"
import * as RegistryConfig from "./internal/registry/RegistryConfig.js"
import {
  checkPage,
  type RegistryOptions,
  type ResolvedOptions,
  resolveRegistry
} from "./internal/registry/RegistryOptions.js"
import {
  accountsOf,
  type DeadLetter,
  deadLetterOf,
  healthOf,
  pageOf,
  type RegistryAccounts,
  type RegistryHealth,
  type RegistrySnapshot,
  type RegistrySnapshotPage,
  snapshotOf,
  type SnapshotPageOptions
} from "./internal/registry/Snapshot.js"
import { limitsItself } from "./internal/scope/FinalizerKeys.js"
import { Validation } from "./PatinoxError.js"
import type { ResourceEvent } from "./ResourceEvent.js"
import * as ResourceId from "./ResourceId.js"
import type { ResourceInfo } from "./ResourceInfo.js"
import * as ResourceMonitor from "./ResourceMonitor.js"

export type { RegistryOptions } from "./internal/registry/RegistryOptions.js"
export type {
  AcquiringSnapshot,
  DeadLetter,
  HolderSnapshot,
  RegistryAccounts,
  RegistryHealth,
  RegistrySnapshot,
  RegistrySnapshotPage,
  ResourceSnapshot,
  SnapshotPageOptions,
  SnapshotPlace
} from "./internal/registry/Snapshot.js"

/** Options of a resource that has no scope: those of a guard that make sense without one. */
export type RegisterOptions = Omit<GuardSettings, "recovery" | "onFailure" | "close">

/**
 * What to clean up. Either a live resource, by its id or its guard, with a priority for this request where one is
 * given. Or a `cleanup` effect without a resource, under the registry's policy. A guard always stands for its resource,
 * though it has a `cleanup`, too.
 */
export type CleanupRequest<E = never, R = never> =
  | ResourceId.ResourceId
  | { readonly id: ResourceId.ResourceId }
  | {
    readonly resource: ResourceId.ResourceId | { readonly id: ResourceId.ResourceId }
    readonly priority?: CleanupPriority.CleanupPriority
  }
  | (RegisterOptions & { readonly cleanup: Effect.Effect<unknown, E, R> })

/** A cleanup that was handed to the registry. */
export interface ScheduledCleanup {
  readonly id: ResourceId.ResourceId
  /** Waits until the resource has ended; fails as its cleanup did, or with `AlreadyCleanedUp` where it was disarmed. */
  readonly await: Effect.Effect<void, CleanupError.CleanupError<unknown>>
  /**
   * Takes it back while it waits: a resource is in use again, a cleanup given as an effect will not run. False where it
   * has started, or has another caller, too: another `schedule`, a scope that closed, a shutdown.
   */
  readonly cancel: Effect.Effect<boolean>
}

/** A dead letter cannot be retried. */
export class DeadLetterUnavailable extends /* @__PURE__ */ TaggedError("DeadLetterUnavailable")<{
  readonly id: ResourceId.ResourceId
  readonly reason: "unknown" | "value released" | "abandoned" | "being retried"
}> {
  override get message(): string {
    return `The failed cleanup of ${this.id} cannot be retried: ${this.reason}`
  }
}

/** Cleanups that failed for good. */
export interface DeadLetters {
  readonly list: Effect.Effect<ReadonlyArray<DeadLetter>>
  /** Runs the release again, under its policy. With success the resource moves from failed to recovered. */
  readonly retry: (
    id: ResourceId.ResourceId
  ) => Effect.Effect<void, CleanupError.CleanupError<unknown> | DeadLetterUnavailable>
  readonly drop: (id: ResourceId.ResourceId) => Effect.Effect<boolean>
}

/**
 * What the registry offers. Its readings wait for nobody; every failure is typed, but a bad option, which is a defect.
 */
export interface Shape {
  /** Tracks a resource that has no scope; it is cleaned up by `cleanup`, `schedule`, a forced cleanup or the shutdown. */
  readonly register: <E, R>(
    release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E, R>,
    options?: RegisterOptions
  ) => Effect.Effect<ResourceId.ResourceId, CleanupError.RegistryShuttingDown, R>
  /** Takes a resource out; no cleanup will run. */
  readonly unregister: (id: ResourceId.ResourceId) => Effect.Effect<void, CleanupError.AlreadyCleanedUp>
  readonly info: (id: ResourceId.ResourceId) => Effect.Effect<ResourceInfo | undefined>
  /** Everything live, in the order it was registered. */
  readonly list: Effect.Effect<ReadonlyArray<ResourceInfo>>
  readonly activeCount: Effect.Effect<number>
  readonly accounts: Effect.Effect<RegistryAccounts>
  readonly schedule: <E = never, R = never>(
    request: CleanupRequest<E, R>
  ) => Effect.Effect<ScheduledCleanup, CleanupError.AlreadyCleanedUp | CleanupError.RegistryShuttingDown, R>
  /** Cleans up one now, after its dependents, in the caller's turn. */
  readonly cleanup: (id: ResourceId.ResourceId) => Effect.Effect<void, CleanupError.CleanupError<unknown>>
  /** Cleans up what matches and what depends on it, and reports it; over by the shutdown's time limit. */
  readonly cleanupWhere: (predicate: (info: ResourceInfo) => boolean) => Effect.Effect<CleanupReport>
  /** Cleans up everything live and reports it; over by the shutdown's time limit. */
  readonly forceCleanupAll: Effect.Effect<CleanupReport>
  /** Waits until nothing waits or runs. */
  readonly awaitIdle: Effect.Effect<void>
  /**
   * Everything as it was when this began. Of many live resources the records are made in turns, 250 in each, between
   * which others go on: what they change is not seen.
   */
  readonly snapshot: Effect.Effect<RegistrySnapshot>
  /**
   * The same with so many of the live resources, and where to go on. A resource that stays live is on exactly one page,
   * whatever comes and goes between two. A bad `limit` or `after` is a defect.
   */
  readonly snapshotPage: (options: SnapshotPageOptions) => Effect.Effect<RegistrySnapshotPage>
  readonly health: Effect.Effect<RegistryHealth>
  readonly isHealthy: Effect.Effect<boolean>
  readonly deadLetters: DeadLetters
  readonly events: Stream.Stream<ResourceEvent>
  /** Refuses new resources, cleans up the live ones and ends by the deadline. Every caller gets the same report. */
  readonly shutdown: Effect.Effect<CleanupReport>
  /** @internal */
  readonly internal: unknown
}

/** The registry's service. */
export class ResourceRegistry extends Context.Tag("@patinox/core/ResourceRegistry")<ResourceRegistry, Shape>() {}

/** Waits for a live or ended entry's outcome. */
const outcomeOf = (entry: CleanupTarget, caller: CallerContext) =>
  Effect.flatMap(awaitEnd(entry, caller), () => outcome(entry))

/** Looks at the entry's name only where it fails: that of a call site has to be made from the stack. */
const outcome = (entry: CleanupTarget): Effect.Effect<void, CleanupError.CleanupError<unknown>> => {
  const { run } = entry
  if (run?.isDone !== true) return Effect.fail(gone(entry))
  return run.hasFailed ? Effect.fail(run.error!) : Effect.void
}

const make = (registry: Registry): Shape => {
  const asking = <A, E, R>(f: (caller: CallerContext) => Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Fibers.withFiber((fiber) => f(callerOf(fiber)))

  const withEntry = <A, E>(
    id: ResourceId.ResourceId,
    f: (entry: CleanupTarget, caller: CallerContext) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | CleanupError.AlreadyCleanedUp> =>
    asking((caller): Effect.Effect<A, E | CleanupError.AlreadyCleanedUp> => {
      const entry = registry.entries.get(id)
      return entry === undefined ? Effect.fail(gone({ id, typeName: "resource" })) : f(entry, caller)
    })

  const registerEntry = <E, R, A>(
    release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E, R>,
    options: RegisterOptions | undefined,
    then: (entry: CleanupTarget) => A,
    site: CallSite | undefined
  ): Effect.Effect<A, CleanupError.RegistryShuttingDown, R> =>
    Fibers.withFiber((fiber) => {
      const caller = callerOf(fiber)
      const entry = reserve(registry, fiber, caller, {
        options,
        release: (_, exit) => release(exit),
        dependencies: undefined,
        tagKey: undefined,
        site
      })
      if (entry instanceof Validation) return Effect.die(entry)
      // Without dependencies the only refusal is that of a shutdown.
      if (!(entry instanceof CleanupTarget)) return Effect.fail(entry as CleanupError.RegistryShuttingDown)
      registry.register(entry, undefined, caller)
      registry.reporter.registered(entry)
      return Effect.succeed(then(entry))
    })

  const register: Shape["register"] = (release, options) =>
    registerEntry(release, options, (entry) => entry.id, callSite(options?.typeName !== undefined, false, register))

  const scheduleEntry = (
    entry: CleanupTarget,
    isOwn: boolean,
    priority?: CleanupPriority.CleanupPriority
  ): ScheduledCleanup => {
    let request = registry.schedule(entry, "scheduled", priority && CleanupPriority.toNumber(priority))
    return {
      id: entry.id,
      await: asking((caller) => outcomeOf(entry, caller)),
      cancel: Effect.sync(() => {
        const asked = request
        request = undefined
        return asked !== undefined && registry.unschedule(asked, isOwn)
      })
    }
  }

  const schedule: Shape["schedule"] = (request) => {
    const isId = typeof request === "string"
    if (!isId && !("resource" in request || "id" in request)) {
      const site = callSite(request.typeName !== undefined, false, schedule)
      return registerEntry(() => request.cleanup, request, (entry) => scheduleEntry(entry, true), site)
    }
    return Effect.suspend((): Effect.Effect<ScheduledCleanup, CleanupError.AlreadyCleanedUp> => {
      const { priority, resource } = isId || "id" in request ? { priority: undefined, resource: request } : request
      const mistake = wrongChoice("priority", priority, CleanupPriority.values)
      if (mistake !== undefined) return Effect.die(mistake)
      const id = typeof resource === "string" ? resource : resource.id
      return withEntry(id, (entry) => Effect.succeed(scheduleEntry(entry, false, priority)))
    })
  }

  return {
    internal: registry,
    register,
    unregister: (id) =>
      withEntry(id, (entry) => {
        if (!entry.isUsable) return Effect.fail(gone(entry))
        registry.disarm(entry)
        return Effect.void
      }),
    info: (id) =>
      Effect.sync(() => {
        const entry = registry.entries.get(id)
        return entry === undefined ? undefined : infoOf(entry)
      }),
    list: Effect.sync(() => [...registry.entries.values()].map(infoOf)),
    activeCount: Effect.sync(() => registry.live),
    accounts: Effect.sync(() => accountsOf(registry)),
    schedule,
    cleanup: (id) => withEntry(id, (entry, caller) => cleanupNow(registry, entry, caller)),
    cleanupWhere: (predicate) =>
      asking((caller) =>
        UserFunction.call(
          () =>
            registry.force([...registry.entries.values()].filter((entry) => predicate(infoOf(entry))), caller).await(
              caller
            ),
          UserFunction.dieOf
        )
      ),
    forceCleanupAll: asking((caller) =>
      registry.force([...registry.entries.values(), ...registry.retrying], caller).await(caller)
    ),
    awaitIdle: asking((caller) => registry.awaitIdle(caller)),
    snapshot: snapshotOf(registry),
    snapshotPage: (options) => {
      const checked = checkPage(options)
      return checked instanceof Validation ? Effect.die(checked) : pageOf(registry, checked)
    },
    health: Effect.sync(() => healthOf(registry)),
    isHealthy: Effect.sync(() => registry.phase === "Running"),
    deadLetters: {
      list: Effect.sync(() => registry.deadLetters.list().map(deadLetterOf)),
      retry: (id) =>
        asking((caller): Effect.Effect<void, CleanupError.CleanupError<unknown> | DeadLetterUnavailable> => {
          const letter = registry.deadLetters.get(id)
          const unavailable = (reason: DeadLetterUnavailable["reason"]) =>
            Effect.fail(new DeadLetterUnavailable({ id, reason }))
          if (letter === undefined) return unavailable("unknown")
          const { entry } = letter
          if (entry === undefined) return unavailable("value released")
          if (entry.state === "abandoned") return unavailable("abandoned")
          if (entry.request !== undefined || entry.run?.isDone === false) return unavailable("being retried")
          if (registry.phase !== "Running" && caller.run === undefined) {
            return Effect.fail(registry.shuttingDown(entry.typeName))
          }
          startFor(caller, entry, () => registry.retry(entry, caller))
          return outcomeOf(entry, caller)
        }),
      drop: (id) => Effect.sync(() => registry.deadLetters.drop(id))
    },
    events: registry.reporter.events.stream,
    shutdown: asking((caller) => registry.shutdown(caller).await(caller))
  }
}

/** @internal Cleans up in the caller's turn: typed, exactly once; a later caller waits, then gets `AlreadyCleanedUp`. */
export const cleanupNow = (
  registry: Registry,
  entry: CleanupTarget,
  caller: CallerContext
): Effect.Effect<void, CleanupError.CleanupError<unknown>> => {
  const over = Effect.suspend(() => Effect.fail(gone(entry)))
  const { run } = entry
  if (run !== undefined) return run.isDone ? over : Effect.andThen(awaitEnd(entry, caller), over)
  if (!entry.isUsable) return over
  return Effect.flatMap(endNow(registry, entry, { trigger: "cleanup", exit: Exit.void, caller }), () => outcome(entry))
}

/** @internal */
export const registryOf = (service: Shape): Registry => service.internal as Registry

// --- layers ---------------------------------------------------------------------------------------------------------

/** Guards whose scope is open: that scope would have released them, and in its order. */
const openGuards = (registry: Registry): ReadonlyArray<CleanupTarget> =>
  registry.phase === "Running"
    ? [...registry.entries.values()].filter((entry) =>
      entry.scope !== undefined && Scopes.closedExit(entry.scope) === undefined
    )
    : []

/**
 * The layer is released. A registry that is provided to a part of a program closes before the process's scope does.
 * Guards of that scope must be released in its order, so where there are any the registry closes after the scope.
 */
const closeLayer = (registry: Registry): Effect.Effect<void> =>
  Effect.suspend(() => {
    const later = limitsItself(() => close(registry))
    const isKept = openGuards(registry).some(({ scope }) => registry.process.closeAfter(scope!, later))
    return isKept ? Effect.void : close(registry)
  })

const close = (registry: Registry): Effect.Effect<void> =>
  Effect.uninterruptible(Fibers.withFiber((fiber) => {
    const open = openGuards(registry)
    return Effect.flatMap(
      Effect.andThen(
        open.length === 0 ? Effect.void : Log.closedUnderGuards(open),
        Effect.suspend(() => {
          const caller = callerOf(fiber)
          const batch = registry.shutdown(caller)
          // As the registry's owner, this limits a shutdown that another caller has begun, too.
          batch.limitTo(limitOf(caller, registry.timers.now()))
          return batch.await(caller)
        })
      ),
      (report) =>
        Effect.andThen(
          registry.reporter.events.flush,
          Effect.suspend(() => Log.shutDown(report))
        )
    )
  }))

const build = (options: ResolvedOptions): Effect.Effect<Shape, never, Scope.Scope> =>
  Effect.flatMap(Effect.serviceOption(ResourceRegistry), (outer) =>
    Effect.andThen(
      outer._tag === "Some" ? Log.secondRegistry : Effect.void,
      Fibers.withFiber((fiber) => {
        Fibers.checkFibers()
        const { counting, others } = split(Context.get(fiber.currentContext, ResourceMonitor.ResourceMonitor))
        const ids = Context.get(fiber.currentContext, ResourceId.Generator)
        const origin = Refs.originOf(fiber)
        const registry = new Registry({
          options,
          clock: Clocks.clockOf(fiber),
          origin,
          ids: () => ids.next(),
          listener: others === undefined || others === ResourceMonitor.noop
            ? undefined
            : (event) => others.onEvent(event),
          metrics: counting?.countsFor(origin)
        })
        registry.process = Context.get(fiber.currentContext, ShutdownHost)
        const stopCapturing = startCapturing(options.captureStacks)
        return Effect.as(
          Scope.addFinalizerExit(
            Refs.service(fiber, Scope.Scope),
            limitsItself(() => Effect.ensuring(closeLayer(registry), Effect.sync(stopCapturing)))
          ),
          make(registry)
        )
      })
    ))

const layerOf = (options: RegistryOptions): Layer.Layer<ResourceRegistry, Validation> =>
  Layer.scoped(
    ResourceRegistry,
    Effect.uninterruptible(Effect.suspend((): Effect.Effect<Shape, Validation, Scope.Scope> => {
      const resolved = resolveRegistry(options)
      return resolved instanceof Validation ? Effect.fail(resolved) : build(resolved)
    }))
  )

/** The registry with every default. A constant: layers that provide it share one. */
export const layer: Layer.Layer<ResourceRegistry> = /* @__PURE__ */ Layer.orDie(/* @__PURE__ */ layerOf({}))

/**
 * A registry with options. A bad one fails with a `Validation` that names the option, the value and the range, before
 * anything starts.
 *
 * ```ts
 * import { ResourceRegistry } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const error = await Effect.runPromise(Effect.flip(
 *   Effect.provide(ResourceRegistry.ResourceRegistry, ResourceRegistry.layerWith({ concurrency: 0 }))
 * ))
 * console.log(error.message) // => Invalid option "concurrency": got 0, expected an integer from 1 to 10000
 * ```
 */
export const layerWith = (options: RegistryOptions): Layer.Layer<ResourceRegistry, Validation> => layerOf(options)

/** Reads the options from `PATINOX_CONCURRENCY`, `PATINOX_CLEANUP_TIMEOUT` and so on. */
export const config: Config.Config<RegistryOptions> = /* @__PURE__ */ RegistryConfig.make()

/** A registry whose options come from a `Config`; without one, from the environment. */
export const layerConfig = (
  options: Config.Config<RegistryOptions> = /* @__PURE__ */ RegistryConfig.make()
): Layer.Layer<ResourceRegistry, Validation | ConfigError.ConfigError> =>
  Layer.unwrapEffect(Effect.map(options, layerOf))

/** For tests: ids in sequence, and the acquire stack of every guard. */
export const layerTest: Layer.Layer<ResourceRegistry> = /* @__PURE__ */ Layer.provide(
  /* @__PURE__ */ Layer.orDie(/* @__PURE__ */ layerOf({ captureStacks: "all" })),
  /* @__PURE__ */ Layer.sync(ResourceId.Generator, () => ResourceId.sequential())
)
