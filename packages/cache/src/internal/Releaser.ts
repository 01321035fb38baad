/**
 * How values go: each is released through the registry, after its last use. Where the registry has begun to release it
 * by itself, the cache notices, and its users get a moment.
 */
import { type CleanupError, CleanupReport, ResourceGuard, ResourceRegistry } from "@patinox/core"
import { callback, disconnect, forkLater, makeDeadline, makeDeferred, UserFunction } from "@patinox/core/kernel"
import { Cause, Deferred, Duration, Effect, Exit, Option } from "effect"
import { workingOn } from "./ActiveWork.js"
import type { CacheContext } from "./CacheContext.js"
import { named } from "./CacheReporter.js"
import type { Lease } from "./Lease.js"
import type { CacheEntry } from "./state/CacheEntry.js"
import type { CacheState } from "./state/CacheState.js"

/** The outcome of a release. */
export interface Release {
  readonly entry: CacheEntry<any, any, any>
  readonly error: CleanupError.CleanupError<unknown> | undefined
}

export class Releaser<K, A, E> {
  /** For the report of a close. */
  onReleased: ((release: Release) => void) | undefined = undefined

  constructor(private readonly context: CacheContext<K, A, E>, private readonly state: CacheState<K, A, E>) {}

  start(entry: CacheEntry<K, A, E>): void {
    this.whenOver(entry, Effect.flatMap(this.scheduled(entry), ({ await: over }) => over))
  }

  /**
   * The release of a value's guard, for the cache and for the registry, which may run it before any caller has the
   * value.
   */
  readonly release = (entry: CacheEntry<K, A, E>): Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry> => {
    const lease = entry.lease!
    const isOthers = lease.guard !== undefined && entry.status !== "releasing"
    lease.isReleased = true
    return isOthers ? Effect.andThen(this.notice(entry, lease), this.byHand(entry)) : this.byHand(entry)
  }

  /**
   * What it comes to, without a registry: `release`, unless that has succeeded before, and then the scope. That closes
   * once; another attempt comes to what its close came to.
   */
  byHand(entry: CacheEntry<K, A, E>): Effect.Effect<void, unknown> {
    const { release } = this.context.manager
    const lease = entry.lease!
    const released = release === undefined || lease.hasReleased ? Effect.void : Effect.map(
      UserFunction.effect(() => release(lease.value, entry.key)),
      () => {
        lease.hasReleased = true
      }
    )
    return workingOn(entry, Effect.andThen(released, this.closing(lease)))
  }

  private closing(lease: Lease<A>): Effect.Effect<void, ResourceGuard.FinalizersFailed> {
    return Effect.suspend(() => {
      const { scope } = lease
      if (!lease.isScopeClosed && scope.isEmpty) {
        scope.end()
        return Effect.void
      }
      lease.isScopeClosed = true
      return Effect.flatMap(
        scope.close(Exit.void),
        (report) =>
          CleanupReport.isClean(report) ? Effect.void : Effect.fail(new ResourceGuard.FinalizersFailed({ report }))
      )
    })
  }

  /** Of a value that the registry does not take: in time all the same, though the fiber at hand may end. */
  unregistered(entry: CacheEntry<K, A, E>): Effect.Effect<void> {
    const { options: { releaseTimeout }, runtime } = this.context
    // Refused at the last moment, it has been released by its guard.
    const release = entry.lease!.isReleased ? Effect.void : this.byHand(entry)
    const limited = release.pipe(
      disconnect,
      Effect.interruptible,
      Effect.timeout(Duration.millis(releaseTimeout))
    )
    const over = makeDeferred<void>()
    forkLater(
      runtime,
      Effect.exit(limited).pipe(
        Effect.flatMap((exit) => this.leftovers(entry, exit)),
        Effect.andThen(Deferred.succeed(over, undefined))
      )
    )
    return Deferred.await(over)
  }

  /** It is out of the cache from now on; its users have a sixth of the time limit. */
  private notice(
    entry: CacheEntry<K, A, E>,
    lease: Lease<A>
  ): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> {
    const { options, timers } = this.context
    return Effect.suspend(() => {
      this.state.entries.seized(entry)
      const noticed = Effect.match(this.scheduled(entry), {
        onFailure: (error) => this.whenOver(entry, Effect.fail(error)),
        onSuccess: ({ await: over }) => this.whenOver(entry, over)
      })
      return Effect.andThen(
        noticed,
        callback<void>((resume) => {
          const over = () => {
            timers.clear(deadline)
            lease.onUnused = undefined
            resume(Effect.void)
          }
          const deadline = makeDeadline(over)
          if (entry.users === 0) return over()
          lease.onUnused = over
          timers.set(deadline, timers.now() + options.releaseTimeout / 6)
        })
      )
    })
  }

  /** Of a release that has begun already, only its end can be waited for. */
  private scheduled(entry: CacheEntry<K, A, E>) {
    const request = { resource: entry.lease!.id, priority: this.context.options.priority }
    return Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.schedule(request))
  }

  /** Waits in a fiber that is no part of a cleanup, as that would wait for itself. */
  private whenOver(
    entry: CacheEntry<K, A, E>,
    over: Effect.Effect<void, CleanupError.CleanupError<unknown>, ResourceRegistry.ResourceRegistry>
  ): void {
    const { reporter, runtime, timers } = this.context
    forkLater(
      runtime,
      Effect.flatMap(Effect.exit(over), (exit) => {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        return Effect.map(this.leftovers(entry, exit), () => {
          this.onReleased?.({ entry, error })
          reporter.emit(() => ({ _tag: "Released", ...named(entry), ...(error === undefined ? undefined : { error }) }))
          this.state.released(entry, timers.now())
        })
      })
    )
  }

  /** A release that has failed for good has not come to the scope: that is closed all the same. */
  private leftovers({ lease }: CacheEntry<K, A, E>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Exit.isSuccess(exit) ? Effect.void : Effect.ignore(this.closing(lease!))
  }
}
