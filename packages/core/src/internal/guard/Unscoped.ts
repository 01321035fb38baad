/**
 * Guards without a Scope. The holder of a guard cleans it up; a guard that is garbage collected before its cleanup is
 * reported as leaked. When that is, or whether at all, is up to the collector: nothing but a mistake should come to it.
 */
import { Effect } from "effect"
import type * as CleanupError from "../../CleanupError.js"
import type * as ResourceGuard from "../../ResourceGuard.js"
import { registryOf, ResourceRegistry } from "../../ResourceRegistry.js"
import * as Log from "../cleanup/CleanupLog.js"
import { type CleanupTarget, infoOf } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import { wrongChoice } from "../kernel/Options.js"
import * as Text from "../kernel/Text.js"
import type { Registry } from "../registry/Registry.js"
import * as Acquire from "./Acquire.js"

/** A guard that no Scope cleans up. What holds one of its effects holds the guard. */
export interface UnscopedGuard<in out A, out E = never>
  extends Pick<ResourceGuard.ResourceGuard<A, E>, "id" | "info" | "state" | "use" | "cleanup">
{}

/** Options of a guard without a Scope: those of a guard but what its Scope's close would do. */
export interface UnscopedOptions<in A, in E, out RS = never, out RF = never, D = ResourceGuard.Dependencies>
  extends Omit<ResourceGuard.GuardOptions<A, E, RS, RF, D>, "onFailure" | "close">
{
  /**
   * When the garbage collector has taken the guard, and nobody has cleaned it up: `"report"` it as leaked, in the log and
   * as `LeakSuspected`; or `"cleanup"`: that, and hand its cleanup to the registry. Default `"report"`.
   */
  readonly onCollected?: "report" | "cleanup"
}

/** The form of `makeUnscoped`. */
export interface MakeUnscoped {
  <A, EA, RA, E, RR, RS = never, RF = never, D extends ResourceGuard.Dependencies = readonly []>(
    acquire: Effect.Effect<A, EA, RA>,
    release: ResourceGuard.Release<A, E, RR>,
    options?: UnscopedOptions<NoInfer<A>, NoInfer<E>, RS, RF, D>
  ): Effect.Effect<
    UnscopedGuard<A, E>,
    EA | CleanupError.RegistryShuttingDown | ResourceGuard.DependencyError<D>,
    RA | RR | RS | RF | ResourceRegistry
  >
}

interface Watched {
  readonly registry: Registry
  readonly entry: CleanupTarget
  readonly cleansUp: boolean
}

/** One for all guards. Neither it nor what it holds may hold the guard: that would never be collected. */
let watch: FinalizationRegistry<Watched> | undefined

const collected = ({ cleansUp, entry, registry }: Watched): void => {
  // Cleaned up or disarmed, or waiting for that: nothing is lost, unless who holds the request takes it back.
  if (entry.state === "waiting" && cleansUp) registry.schedule(entry, "leaked")
  if (entry.state !== "inUse") return
  const { acquireStack, owner } = infoOf(entry)
  const ageMillis = registry.timers.now() - entry.registeredAt
  const line = Effect.logWarning(
    `${entry.typeName} was leaked: it was collected as garbage without a cleanup, ${
      Text.duration(ageMillis)
    } after its acquire${cleansUp ? "; cleaning it up now" : ""}${
      acquireStack === undefined ? "" : `\nacquired\n${acquireStack}`
    }`
  )
  Log.write(entry, line)
  if (!entry.leakSuspected) {
    entry.leakSuspected = true
    const stack = acquireStack === undefined ? undefined : { acquireStack }
    registry.reporter.notify("LeakSuspected", entry, { ageMillis, owner, ...stack })
  }
  if (cleansUp) registry.schedule(entry, "leaked")
}

export const make = <A, E, R, G extends object>(
  acquire: Effect.Effect<A, E, R>,
  plan: Acquire.AcquirePlan,
  onCollected: unknown,
  guardOf: (registry: Registry, entry: CleanupTarget) => G
): Effect.Effect<G, any, any> =>
  Effect.uninterruptible(Fibers.withFiber((fiber) => {
    const mistake = wrongChoice("onCollected", onCollected, ["report", "cleanup"])
    if (mistake !== undefined) return Effect.die(mistake)
    const registry = registryOf(Refs.service(fiber, ResourceRegistry))
    const result = (_: Registry, entry: CleanupTarget) => {
      const guard = guardOf(registry, entry)
      watch ??= new FinalizationRegistry(collected)
      watch.register(guard, { registry, entry, cleansUp: onCollected === "cleanup" })
      return guard
    }
    return Acquire.acquire(fiber, acquire, { plan, registry, scope: undefined, result })
  }))
