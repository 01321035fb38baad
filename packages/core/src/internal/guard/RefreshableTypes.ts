/** The public types of a refreshable: its operations, options and readings. */
import type { Cause, Context, Effect, Exit, Inspectable, Layer, Schedule, Scope } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type * as ResourceGuard from "../../ResourceGuard.js"
import type { ResourceId } from "../../ResourceId.js"
import type { ResourceRegistry } from "../../ResourceRegistry.js"

/** Why there is no refresh any more: its scope has begun to close, or the registry. */
export type RefreshUnavailable = CleanupError.AlreadyCleanedUp | CleanupError.RegistryShuttingDown

/** A refresh that failed. */
export interface RefreshFailure<out E> {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly cause: Cause.Cause<E | RefreshUnavailable>
}

/** How a refreshable is doing. */
export interface RefreshableSnapshot<out E> {
  /** Of the guard of the current value. */
  readonly id: ResourceId
  readonly state: ResourceGuard.GuardState
  /** When the current value was acquired, in milliseconds since the epoch. */
  readonly acquiredAt: number
  /** How many use the current value. */
  readonly users: number
  /** Earlier values that are still in use, or whose cleanup has not ended. */
  readonly earlier: number
  readonly isRefreshing: boolean
  /** Refreshes that succeeded. */
  readonly refreshes: number
  /** Refreshes that failed since the last that succeeded, or the first acquire. */
  readonly failures: number
  /** Stays after a refresh that succeeds. */
  readonly lastFailure: RefreshFailure<E> | undefined
}

/** A resource that can be replaced while it is in use. Its inspection and JSON never show the value. */
export interface Refreshable<out A, out E = never> extends Inspectable.Inspectable {
  /** Of the guard of the current value; a guard that `dependsOn` it depends on each of its values in turn. */
  readonly id: ResourceId
  /** Where the guard of the current value stands. */
  readonly state: Effect.Effect<ResourceGuard.GuardState>
  /** A reading of the current value, which may be replaced and cleaned up the next moment. */
  readonly value: Effect.Effect<A, CleanupError.AlreadyCleanedUp>
  /** The current value, held until the Scope closes, whatever refreshes there are meanwhile. */
  readonly get: Effect.Effect<A, CleanupError.AlreadyCleanedUp, Scope.Scope>
  /** The current value, held until `f` has ended. The fastest way. */
  readonly use: <B, E2, R2>(
    f: (value: A) => Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E2 | CleanupError.AlreadyCleanedUp, R2>
  /**
   * Acquires a new value, and then hands the old one to cleanup, in the background and not before its last user is
   * gone. Tags that it depends on are resolved again. Where the acquire fails, or the new value would depend on what
   * depends on the old one (`UnknownDependency`, `circular`), the old value stays. A call during a refresh waits for
   * that refresh. Interrupting a caller ends its waiting, and the refresh only if nobody else waits for it and its
   * acquire can be interrupted.
   */
  readonly refresh: Effect.Effect<void, E | RefreshUnavailable>
  readonly snapshot: Effect.Effect<RefreshableSnapshot<E>>
}

/** How a refreshable is refreshed, and how each of its values is cleaned up. */
export interface RefreshableOptions<
  in A,
  in E,
  in EA = never,
  out RS = never,
  out RF = never,
  out RT = never,
  D = ResourceGuard.Dependencies
> extends ResourceGuard.GuardOptions<A, E, RS, RF, D> {
  /**
   * When to refresh. It is asked after the first acquire and after each of its refreshes, and given what that ended with;
   * a refresh that fails is logged, and does not end it. Default: by hand alone.
   */
  readonly schedule?: Schedule.Schedule<unknown, Exit.Exit<A, EA | RefreshUnavailable>, RT>
  /**
   * The acquire can be interrupted, and then must itself leave nothing behind but what it binds to its Scope. It is, when
   * the refreshable closes or nobody waits for a refresh any longer; and a time limit of its own works. Default false.
   */
  readonly interruptibleAcquire?: boolean
}

/** The form of `refreshable`. */
export interface MakeRefreshable {
  <A, EA, RA, E, RR, RS = never, RF = never, RT = never, D extends ResourceGuard.Dependencies = readonly []>(
    acquire: Effect.Effect<A, EA, RA>,
    release: ResourceGuard.Release<A, E, RR>,
    options?: RefreshableOptions<
      NoInfer<A>,
      NoInfer<E>,
      NoInfer<EA> | ResourceGuard.DependencyError<D>,
      RS,
      RF,
      RT,
      D
    >
  ): Effect.Effect<
    Refreshable<A, EA | ResourceGuard.DependencyError<D>>,
    EA | CleanupError.RegistryShuttingDown | ResourceGuard.DependencyError<D>,
    Exclude<RA, Scope.Scope> | RR | RS | RF | RT | Scope.Scope | ResourceRegistry
  >
}

/** The form of `layerRefreshable`; what a refresh can fail with stands in the service's type. */
export interface LayerRefreshable {
  <
    I,
    S,
    ES,
    A extends S,
    EA extends ES,
    RA,
    E,
    RR,
    RS = never,
    RF = never,
    RT = never,
    D extends [CleanupError.UnknownDependency] extends [ES] ? ResourceGuard.Dependencies : readonly [] = readonly []
  >(
    tag: Context.Tag<I, Refreshable<S, ES>>,
    acquire: Effect.Effect<A, EA, RA>,
    release: ResourceGuard.Release<A, E, RR>,
    options?: RefreshableOptions<NoInfer<A>, NoInfer<E>, NoInfer<ES>, RS, RF, RT, D>
  ): Layer.Layer<
    I,
    EA | CleanupError.RegistryShuttingDown | ResourceGuard.DependencyError<D>,
    Exclude<RA | RR | RS | RF | RT, Scope.Scope> | ResourceRegistry
  >
}
