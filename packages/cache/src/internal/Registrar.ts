/** Makes values guards of the registry, and knows which objects the cache has ever had to release. */
import { ResourceGuard, ResourceScope } from "@patinox/core"
import { LazyScope, originWithin, shareRefs, UserFunction, withFiber } from "@patinox/core/kernel"
import { Effect, Exit } from "effect"
import { workingOn } from "./ActiveWork.js"
import type { CacheContext, Env } from "./CacheContext.js"
import { Lease } from "./Lease.js"
import type { Releaser } from "./Releaser.js"
import { type CacheEntry, isObject } from "./state/CacheEntry.js"

export class Registrar<K, A, E> {
  /** The registry takes no values any longer. */
  onRefused: () => void = () => {}
  private readonly settings: ResourceGuard.GuardOptions<unknown, unknown>
  private readonly makeScope: Effect.Effect<ResourceScope.ResourceScope>
  private readonly owned = new WeakSet<object>()

  constructor(private readonly context: CacheContext<K, A, E>, private readonly releaser: Releaser<K, A, E>) {
    const { manager, options: { name, priority, releaseTimeout } } = context
    const { fallback, ...recovery } = manager.recovery ?? {}
    this.settings = {
      typeName: name,
      priority,
      timeout: releaseTimeout,
      ...(manager.recovery === undefined ? undefined : {
        recovery: {
          ...recovery,
          ...(fallback === undefined ? undefined : {
            fallback: (entry: unknown, error) =>
              workingOn(
                entry as CacheEntry<K, A, E>,
                UserFunction.effect(() => fallback((entry as CacheEntry<K, A, E>).lease!.value, error))
              )
          })
        }
      })
    }
    // Over a little before the guard gives the release up, with the finalizer named that has not ended.
    this.makeScope = ResourceScope.make({ timeout: releaseTimeout * 0.95 })
  }

  /** For what a load opens beside its value. */
  readonly newScope = (): LazyScope => new LazyScope(this.makeScope)

  /** Whether the cache has, or had, to release this very value. */
  hasOwned(value: unknown): boolean {
    return isObject(value) && this.owned.has(value)
  }

  /** Makes the value a guard, unless the cache is plain. Refused, it is released at once. */
  register(
    entry: CacheEntry<K, A, E>,
    value: A,
    scope: LazyScope,
    then: (isRefused: boolean) => void
  ): Effect.Effect<void, never, Env> {
    const { isPlain, manager, runtime } = this.context
    if (isPlain) return Effect.sync(() => then(false))
    const lease = new Lease(value, scope)
    if (isObject(value)) this.owned.add(value)
    lease.isSpoiled = Exit.isFailure(entry.exit)
    entry.lease = lease
    const settings = manager.weigher === undefined
      ? this.settings
      : { ...this.settings, sizeBytes: Math.round(entry.weight) }
    return withFiber((fiber) => {
      // The guard keeps what its fiber has for as long as it lives: nothing of a caller's.
      shareRefs(fiber, originWithin(runtime))
      return Effect.flatMap(
        Effect.exit(ResourceGuard.make(Effect.succeed(entry), this.releaser.release, settings)),
        (exit) => {
          if (Exit.isFailure(exit)) {
            this.onRefused()
            return Effect.map(this.releaser.unregistered(entry), () => then(true))
          }
          lease.guard = exit.value
          // Between its registration and this moment the registry may have made it clean up.
          if (lease.isReleased) return Effect.map(Effect.exit(exit.value.cleanup), () => then(true))
          // A turn later it might do so with a value that the cache does not know yet.
          then(false)
          return Effect.void
        }
      )
    })
  }
}
