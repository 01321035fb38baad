/**
 * Says which guards are still there when nothing should be: one look at a registry, or a watch over every registry that
 * an effect builds, those inside its layers included.
 */
import { type ResourceId, ResourceMonitor, ResourceRegistry } from "@patinox/core"
import { Data, Effect, Exit, Layer, Option, Scope } from "effect"
import { LeakWatch } from "./internal/LeakWatch.js"

/** One guard that was not cleaned up. */
export interface Leak {
  readonly id: ResourceId.ResourceId
  readonly typeName: string
  /**
   * `live`: nobody has cleaned it up; `cleaning`: its cleanup has not ended; `abandoned`: its cleanup did not stop;
   * `left`: only the closing of its registry cleaned it up.
   */
  readonly state: "live" | "cleaning" | "abandoned" | "left"
  readonly ageMillis: number
  /** Where it was acquired, as far as the registry captures stacks. */
  readonly acquireStack?: string
}

const wordings = {
  live: "is still live",
  cleaning: "is still being cleaned up",
  abandoned: "was abandoned: its cleanup did not stop",
  left: "was left for its registry to clean up"
} as const

const line = ({ acquireStack, ageMillis, id, state, typeName }: Leak): string =>
  `  ${typeName} (${id}) ${wordings[state]}, ${ageMillis} ms after it was acquired${
    acquireStack === undefined ? "" : `\n${acquireStack.replace(/^\s*/gm, "      ")}`
  }`

/** Guards leaked; the message lists each with its id, its age and where it was acquired. */
export class LeaksFound extends Data.TaggedError("LeaksFound")<{ readonly leaks: ReadonlyArray<Leak> }> {
  override get message(): string {
    return [`${this.leaks.length} ${this.leaks.length === 1 ? "guard" : "guards"} leaked:`, ...this.leaks.map(line)]
      .join("\n")
  }
}

/** A leak check saw no registry, and so proves nothing. */
export class NoRegistrySeen extends Data.TaggedError("NoRegistrySeen") {
  override get message(): string {
    return "The leak check saw no guard and no registry: nothing was tested. Is the registry built inside the test? " +
      "If there is nothing to see, say so with { allowEmpty: true }"
  }
}

const leaksOf = (
  { at, abandoned, deadLetters, live }: ResourceRegistry.RegistrySnapshot
): ReadonlyArray<Leak> => {
  const leaks = new Map<ResourceId.ResourceId, Leak>()
  for (const { acquireStack, ageMillis, id, state, typeName } of live) {
    leaks.set(id, {
      id,
      typeName,
      state: state === "cleaning" ? "cleaning" : "live",
      ageMillis,
      ...(acquireStack === undefined ? undefined : { acquireStack })
    })
  }
  const letGo = deadLetters.filter(({ record }) => record.outcome === "abandoned").map(({ record }) => record)
  for (const { id, startedAt, typeName } of [...abandoned, ...letGo]) {
    if (!leaks.has(id)) leaks.set(id, { id, typeName, state: "abandoned", ageMillis: at - startedAt })
  }
  return [...leaks.values()]
}

/**
 * Fails with every guard of the registry in context that is live or was abandoned. Its stacks are those that the registry
 * captures; `TestRegistry.layer` captures all.
 *
 * ```ts
 * import { ResourceGuard } from "@patinox/core"
 * import { assertNoLeaks, TestRegistry } from "@patinox/vitest"
 * import { Effect, Scope } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const scope = yield* Scope.make()
 *   const acquire = ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Connection" })
 *   yield* Scope.extend(acquire, scope)
 *   return yield* Effect.flip(assertNoLeaks)
 * })
 * const error = await Effect.runPromise(Effect.provide(program, TestRegistry.layer))
 * console.log(error.leaks.map((leak) => leak.typeName).join()) // => Connection
 * ```
 */
export const assertNoLeaks: Effect.Effect<void, LeaksFound, ResourceRegistry.ResourceRegistry> = Effect.flatMap(
  Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.snapshot),
  (snapshot) => {
    const leaks = leaksOf(snapshot)
    return leaks.length === 0 ? Effect.void : Effect.fail(new LeaksFound({ leaks }))
  }
)

/** What a watched effect may do. */
export interface LeakFreeOptions {
  /** Passes where no registry and no guard was seen. Default: that fails. */
  readonly allowEmpty?: boolean
  /** Passes where guards were cleaned up by a shutdown of their registry and not by their scope. Default: that fails. */
  readonly allowShutdown?: boolean
}

// Stacks are captured for every guard of the process while any registry asks for them, even an unused one.
const capturing = (scope: Scope.Scope) =>
  Layer.buildWithScope(Layer.orDie(ResourceRegistry.layerWith({ captureStacks: "all" })), scope)

const existing = Effect.flatMap(
  Effect.serviceOption(ResourceRegistry.ResourceRegistry),
  Option.match({
    onNone: () => Effect.succeed<ReadonlyArray<Leak> | undefined>(undefined),
    onSome: (registry) => Effect.map(registry.snapshot, leaksOf)
  })
)

/**
 * Runs the effect and then fails with what it leaked in any registry, those built inside its layers included: guards that
 * are live, that were abandoned, or that only the closing of their registry cleaned up. A registry that is in context
 * already is looked at before and after. The effect's own error wins. What `it.leakFree` runs.
 *
 * Registries are seen through `ResourceMonitor`: one inside of which the app replaces that reference is not.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { LeakCheck } from "@patinox/vitest"
 * import { Effect, Scope } from "effect"
 *
 * const leaking = Effect.gen(function*() {
 *   const scope = yield* Scope.make()
 *   const acquire = ResourceGuard.make(Effect.void, () => Effect.void, { typeName: "Connection" })
 *   yield* Scope.extend(acquire, scope)
 * }).pipe(Effect.provide(ResourceRegistry.layer))
 *
 * const error = await Effect.runPromise(Effect.flip(LeakCheck.leakFree(leaking)))
 * console.log(error._tag) // => LeaksFound
 * ```
 */
export const leakFree = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: LeakFreeOptions = {}
): Effect.Effect<A, E | LeaksFound | NoRegistrySeen, R> =>
  Effect.acquireUseRelease(
    // Its own scope, as the effect must keep the scope that it came with.
    Scope.make(),
    (scope) =>
      Effect.gen(function*() {
        yield* Effect.provideService(capturing(scope), ResourceMonitor.ResourceMonitor, ResourceMonitor.noop)
        const before = new Set((yield* existing)?.map(({ id }) => id))
        const watch = new LeakWatch()
        const there = yield* ResourceMonitor.ResourceMonitor
        const watching = ResourceMonitor.make((event) => Effect.sync(() => watch.seen(event)))
        const value = yield* Effect.provideService(
          effect,
          ResourceMonitor.ResourceMonitor,
          ResourceMonitor.all([there, watching])
        )
        const after = yield* existing
        const leaks = [
          ...watch.leaks(options.allowShutdown === true),
          ...(after ?? []).filter(({ id }) => !before.has(id))
        ]
        if (leaks.length > 0) return yield* new LeaksFound({ leaks })
        if (!watch.sawRegistry && after === undefined && options.allowEmpty !== true) {
          return yield* new NoRegistrySeen()
        }
        return value
      }),
    (scope) => Scope.close(scope, Exit.void)
  )
