/**
 * How values go: each is released through the registry, once nobody uses it. Where somebody else has begun to release it,
 * the cache notices, and its users get a moment.
 */
import { CleanupReport, ResourceGuard, ResourceRegistry } from "@patinox/core"
import { type CleanupError } from "@patinox/core"
import { makeDeadline, UserFunction } from "@patinox/core/Foundation"
import { Cause, Deferred, Duration, Effect, Exit, Option } from "effect"
import type { Cache } from "./Cache.js"
import type { Held } from "./Held.js"
import * as Seam from "./Seam.js"
import type { Slot } from "./Slot.js"
import { named } from "./Teller.js"

/** What became of a value. */
export interface Release {
  readonly slot: Slot<any, any, any>
  readonly error: CleanupError.CleanupError<unknown> | undefined
}

export class Releases<K, A, E> {
  /** Who closes the cache wants to know. */
  onReleased: ((release: Release) => void) | undefined = undefined

  constructor(private readonly cache: Cache<K, A, E>) {}

  start(slot: Slot<K, A, E>): void {
    this.whenOver(slot, Effect.flatMap(this.scheduled(slot), ({ await: over }) => over))
  }

  /** The release of a value's guard, whoever asks for it: the registry may do so before anybody has the value. */
  readonly release = (slot: Slot<K, A, E>): Effect.Effect<void, unknown, ResourceRegistry.ResourceRegistry> => {
    const held = slot.held!
    const isOthers = held.guard !== undefined && slot.status !== "releasing"
    held.isReleased = true
    return isOthers ? Effect.andThen(this.notice(slot, held), this.byHand(slot)) : this.byHand(slot)
  }

  /**
   * What it comes to, without a registry: `release`, unless that has succeeded before, and then the scope. That closes once;
   * another attempt comes to what its close came to.
   */
  byHand(slot: Slot<K, A, E>): Effect.Effect<void, unknown> {
    const { release } = this.cache.manager
    const held = slot.held!
    const released = release === undefined || held.hasReleased ? Effect.void : Effect.map(
      UserFunction.effect(() => release(held.value, slot.key)),
      () => {
        held.hasReleased = true
      }
    )
    return Seam.workingOn(slot, Effect.andThen(released, this.closing(held)))
  }

  private closing(held: Held<A>): Effect.Effect<void, ResourceGuard.FinalizersFailed> {
    return Effect.suspend(() => {
      const { scope } = held
      if (!held.isScopeClosed && scope.isEmpty) {
        scope.end()
        return Effect.void
      }
      held.isScopeClosed = true
      return Effect.flatMap(
        scope.close(Exit.void),
        (report) =>
          CleanupReport.isClean(report) ? Effect.void : Effect.fail(new ResourceGuard.FinalizersFailed({ report }))
      )
    })
  }

  /** Of a value that the registry does not take: in time all the same, and whatever becomes of the fiber at hand. */
  unregistered(slot: Slot<K, A, E>): Effect.Effect<void> {
    const { options: { releaseTimeout }, runtime } = this.cache
    // Refused at the last moment, it has been released by its guard.
    const release = slot.held!.isReleased ? Effect.void : this.byHand(slot)
    const limited = release.pipe(
      Effect.disconnect,
      Effect.interruptible,
      Effect.timeout(Duration.millis(releaseTimeout))
    )
    const over = Seam.makeDeferred<void>()
    Seam.forkLater(
      runtime,
      Effect.exit(limited).pipe(
        Effect.flatMap((exit) => this.leftovers(slot, exit)),
        Effect.andThen(Deferred.succeed(over, undefined))
      )
    )
    return Deferred.await(over)
  }

  /** It is out of the cache from now on; who uses it has a sixth of the time limit. */
  private notice(slot: Slot<K, A, E>, held: Held<A>): Effect.Effect<void, never, ResourceRegistry.ResourceRegistry> {
    const { options, state, timers } = this.cache
    return Effect.suspend(() => {
      state.seized(slot)
      this.cache.counted()
      const noticed = Effect.match(this.scheduled(slot), {
        onFailure: (error) => this.whenOver(slot, Effect.fail(error)),
        onSuccess: ({ await: over }) => this.whenOver(slot, over)
      })
      return Effect.andThen(
        noticed,
        Effect.async<void>((resume) => {
          const over = () => {
            timers.clear(deadline)
            held.onUnused = undefined
            resume(Effect.void)
          }
          const deadline = makeDeadline(over)
          if (slot.users === 0) return over()
          held.onUnused = over
          timers.set(deadline, timers.now() + options.releaseTimeout / 6)
        })
      )
    })
  }

  /** Of a release that has begun already, only its end can be waited for. */
  private scheduled(slot: Slot<K, A, E>) {
    const request = { resource: slot.held!.id, priority: this.cache.options.priority }
    return Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.schedule(request))
  }

  /** Waits in a fiber that is no part of a cleanup, as that would wait for itself. */
  private whenOver(
    slot: Slot<K, A, E>,
    over: Effect.Effect<void, CleanupError.CleanupError<unknown>, ResourceRegistry.ResourceRegistry>
  ): void {
    const { runtime, state, teller, timers } = this.cache
    Seam.forkLater(
      runtime,
      Effect.flatMap(Effect.exit(over), (exit) => {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        return Effect.map(this.leftovers(slot, exit), () => {
          this.onReleased?.({ slot, error })
          teller.emit(() => ({ _tag: "Released", ...named(slot), ...(error === undefined ? undefined : { error }) }))
          state.released(slot, timers.now())
          this.cache.counted()
        })
      })
    )
  }

  /** A release that has failed for good has not come to the scope: that is closed all the same. */
  private leftovers({ held }: Slot<K, A, E>, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Exit.isSuccess(exit) ? Effect.void : Effect.ignore(this.closing(held!))
  }
}
