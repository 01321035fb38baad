/** The public types of a guard: its operations and options. */
import type { Effect, Exit, Inspectable, Scope } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type { CleanupPriority } from "../../CleanupPriority.js"
import type { RecoveryPolicy } from "../../RecoveryPolicy.js"
import type { ResourceId } from "../../ResourceId.js"
import type { ResourceInfo } from "../../ResourceInfo.js"
import type { State } from "../cleanup/CleanupTarget.js"
import type { GuardSettings } from "../cleanup/GuardOptions.js"
import type * as Acquire from "./Acquire.js"

/** Releases a resource, given the exit of its scope: a success for an early cleanup, an interruption for a forced one. */
export type Release<A, E, R> = (resource: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E, R>

/** What a guard may depend on. */
export type Dependency = Acquire.Dependency
/** All that a guard depends on. */
export type Dependencies = ReadonlyArray<Dependency>
/** What can be wrong with them, where there are any. */
export type DependencyError<D> = D extends readonly [] ? never : CleanupError.UnknownDependency

/** How a guard is cleaned up. Times are durations above 0; `Duration.infinity` is allowed. */
export interface GuardOptions<in A, in E, out RS = never, out RF = never, D = Dependencies>
  extends Omit<GuardSettings, "recovery">
{
  /** What logs and reports call it. Default: the Tag's key, else the current span, else the place it was made. */
  readonly typeName?: string
  /** Among cleanups that wait in the registry. Default `"Normal"`. */
  readonly priority?: CleanupPriority
  /** For all attempts, pauses and the fallback. Default: the registry's `cleanupTimeout`, 10 seconds. */
  readonly timeout?: NonNullable<GuardSettings["timeout"]>
  /** For one attempt. Default: a third of `timeout`. */
  readonly attemptTimeout?: NonNullable<GuardSettings["attemptTimeout"]>
  /** When a release that still runs is reported as slow. Default: the registry's `slowAfter`, 1 second. */
  readonly slowAfter?: NonNullable<GuardSettings["slowAfter"]>
  /** The time limit may interrupt the whole release, and not only regions that it marks. Default false. */
  readonly interruptible?: boolean
  readonly recovery?: RecoveryPolicy<A, E, RS, RF>
  /** Is cleaned up before these are. */
  readonly dependsOn?: D
  readonly sizeBytes?: number
  readonly metadata?: Readonly<Record<string, string>>
  /** `"die"`: a cleanup that fails for good also fails the scope's close, where the program succeeded. Default `"log"`. */
  readonly onFailure?: "log" | "die"
  /** `"background"`: the scope's close hands the cleanup to the registry and does not wait. Default `"wait"`. */
  readonly close?: "wait" | "background"
}

/** Where a guard stands. */
export type GuardState = State

/** A tracked resource. Its inspection and JSON never show the value. */
export interface ResourceGuard<in out A, out E = never> extends Inspectable.Inspectable {
  readonly id: ResourceId
  readonly info: ResourceInfo
  readonly state: Effect.Effect<GuardState>
  /** A reading; it may be cleaned up the next moment. */
  readonly value: Effect.Effect<A, CleanupError.AlreadyCleanedUp>
  /** Borrows the value: a cleanup waits for it, as far as its time limit allows. */
  readonly use: <B, E2, R2>(
    f: (value: A) => Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E2 | CleanupError.AlreadyCleanedUp, R2>
  /** Puts another value in its place, which is then what will be released. */
  readonly update: (f: (value: A) => A) => Effect.Effect<A, CleanupError.AlreadyCleanedUp>
  /**
   * Cleans up now: exactly once, and typed. A later caller waits, then gets `AlreadyCleanedUp`. Interrupting a caller
   * ends its waiting, not the cleanup.
   */
  readonly cleanup: Effect.Effect<void, CleanupError.CleanupError<E>>
  /** Takes the value out; no cleanup will run. Interrupted, it has either not done so or hands the value out. */
  readonly disarm: Effect.Effect<A, CleanupError.AlreadyCleanedUp>
  /** Hands it to another scope; where that is closed, it is cleaned up at once. */
  readonly transferTo: (scope: Scope.Scope) => Effect.Effect<void, CleanupError.AlreadyCleanedUp>
}

/** A guard of any resource. */
export type Any = ResourceGuard<any, any>
