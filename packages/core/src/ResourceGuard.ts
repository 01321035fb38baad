/**
 * One resource bound to a Scope whose release may fail with a type: run under a time limit and a recovery policy, known to
 * the registry, with early cleanup, disarm and transfer. Acquire follows `Effect.acquireRelease`: uninterruptible, but for
 * the variants that say otherwise. Not for values that need no release.
 */
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import type * as CleanupError from "./CleanupError.js"
import { type CallerContext, callerOf } from "./internal/cleanup/CallerContext.js"
import { type AnyRelease, type CleanupTarget, gone } from "./internal/cleanup/CleanupTarget.js"
import type { GuardSettings } from "./internal/cleanup/GuardOptions.js"
import * as Fibers from "./internal/effect3/Fibers.js"
import * as Refs from "./internal/effect3/Refs.js"
import * as Acquire from "./internal/guard/Acquire.js"
import * as Disposables from "./internal/guard/Disposables.js"
import * as FromScoped from "./internal/guard/FromScoped.js"
import { Guard } from "./internal/guard/Guard.js"
import type {
  Dependencies,
  DependencyError,
  GuardOptions,
  Release,
  ResourceGuard
} from "./internal/guard/GuardTypes.js"
import * as Refreshing from "./internal/guard/RefreshableGuard.js"
import type { LayerRefreshable, MakeRefreshable } from "./internal/guard/RefreshableTypes.js"
import * as Unscoped from "./internal/guard/Unscoped.js"
import { type CallSite, callSite } from "./internal/kernel/CallSite.js"
import * as UserFunction from "./internal/kernel/UserFunction.js"
import type { Registry } from "./internal/registry/Registry.js"
import { registryOf, ResourceRegistry } from "./ResourceRegistry.js"

export { type DisposableGuard, toAsyncDisposable } from "./internal/guard/Disposables.js"
export { FinalizersFailed } from "./internal/guard/FromScoped.js"
export type {
  Any,
  Dependencies,
  Dependency,
  DependencyError,
  GuardOptions,
  GuardState,
  Release,
  ResourceGuard
} from "./internal/guard/GuardTypes.js"
export type {
  Refreshable,
  RefreshableOptions,
  RefreshableSnapshot,
  RefreshFailure,
  RefreshUnavailable
} from "./internal/guard/RefreshableTypes.js"
export type { UnscopedGuard, UnscopedOptions } from "./internal/guard/Unscoped.js"

type Env = Scope.Scope | ResourceRegistry
type Options<A, E, RS, RF, D> = GuardOptions<NoInfer<A>, NoInfer<E>, RS, RF, D>

const isNamed = (options: { readonly typeName?: string | undefined } | undefined): boolean =>
  options?.typeName !== undefined

const planOf = (
  release: AnyRelease,
  options: { readonly typeName?: string | undefined; readonly dependsOn?: Dependencies } | undefined,
  site: CallSite | undefined,
  tagKey?: string
): Acquire.AcquirePlan => ({
  options: options as GuardSettings | undefined,
  release,
  dependencies: options?.dependsOn,
  tagKey,
  site
})

const scoped = <A, E, R, B>(
  acquire: Effect.Effect<A, E, R>,
  plan: Acquire.AcquirePlan,
  interruptible: boolean,
  result: (registry: Registry, entry: CleanupTarget, value: A) => B
): Effect.Effect<B, any, any> => {
  const run = (effect: Effect.Effect<A, E, R>) =>
    Fibers.withFiber((fiber) => {
      const registry = registryOf(Refs.service(fiber, ResourceRegistry))
      return Acquire.acquire(fiber, effect, { plan, registry, scope: Refs.service(fiber, Scope.Scope), result })
    })
  return interruptible
    ? Effect.uninterruptibleMask((restore) => run(restore(acquire)))
    : Effect.uninterruptible(run(acquire))
}

const guardOf = (registry: Registry, entry: CleanupTarget): any => new Guard(registry, entry)
const entryOf = (_registry: Registry, entry: CleanupTarget): CleanupTarget => entry
const valueOf = (_registry: Registry, _entry: CleanupTarget, value: any): any => value

/** The form of `make` and of its interruptible variant. */
export interface Make {
  <A, EA, RA, E, RR, RS = never, RF = never, D extends Dependencies = readonly []>(
    acquire: Effect.Effect<A, EA, RA>,
    release: Release<A, E, RR>,
    options?: Options<A, E, RS, RF, D>
  ): Effect.Effect<
    ResourceGuard<A, E>,
    EA | CleanupError.RegistryShuttingDown | DependencyError<D>,
    RA | RR | RS | RF | Env
  >
}

/**
 * A guard, for those who want more than the value: early cleanup, disarm, transfer.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const guard = yield* ResourceGuard.make(
 *     Effect.succeed("connection"),
 *     () => Effect.fail("refused" as const),
 *     { typeName: "Connection" }
 *   )
 *   return yield* Effect.flip(guard.cleanup)
 * }))
 * const error = await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))
 * console.log(error._tag) // => CleanupFailed
 * ```
 */
export const make: Make = (acquire, release, options) =>
  scoped(acquire, planOf(release, options, callSite(isNamed(options), false, make)), false, guardOf)

/** As `make`; the acquire can be interrupted, and then must itself leave nothing behind. */
export const makeInterruptible: Make = (acquire, release, options) =>
  scoped(acquire, planOf(release, options, callSite(isNamed(options), false, makeInterruptible)), true, guardOf)

/** The form of `acquireRelease` and of its interruptible variant. */
export interface AcquireRelease {
  <A, E, RR, RS = never, RF = never, D extends Dependencies = readonly []>(
    release: Release<A, E, RR>,
    options?: Options<A, E, RS, RF, D>
  ): <EA, RA>(
    acquire: Effect.Effect<A, EA, RA>
  ) => Effect.Effect<A, EA | CleanupError.RegistryShuttingDown | DependencyError<D>, RA | RR | RS | RF | Env>
  <A, EA, RA, E, RR, RS = never, RF = never, D extends Dependencies = readonly []>(
    acquire: Effect.Effect<A, EA, RA>,
    release: Release<A, E, RR>,
    options?: Options<A, E, RS, RF, D>
  ): Effect.Effect<A, EA | CleanupError.RegistryShuttingDown | DependencyError<D>, RA | RR | RS | RF | Env>
}

const acquireReleaseOf = (interruptible: boolean): AcquireRelease => {
  const acquireRelease = (...args: ReadonlyArray<any>): any => {
    if (Effect.isEffect(args[0])) {
      return scoped(
        args[0],
        planOf(args[1], args[2], callSite(isNamed(args[2]), false, acquireRelease)),
        interruptible,
        valueOf
      )
    }
    const plan = planOf(args[0], args[1], callSite(isNamed(args[1]), false, acquireRelease))
    return (acquire: Effect.Effect<any, any, any>) => scoped(acquire, plan, interruptible, valueOf)
  }
  return acquireRelease
}

/** `Effect.acquireRelease` with every promise: R gains `ResourceRegistry`, E gains `RegistryShuttingDown`. */
export const acquireRelease: AcquireRelease = /* @__PURE__ */ acquireReleaseOf(false)

/** As `acquireRelease`; the acquire can be interrupted, and then must itself leave nothing behind. */
export const acquireReleaseInterruptible: AcquireRelease = /* @__PURE__ */ acquireReleaseOf(true)

const afterUse = <B, E>(
  registry: Registry,
  entry: CleanupTarget,
  caller: CallerContext,
  exit: Exit.Exit<B, E>
): Effect.Effect<B, E | CleanupError.CleanupError<any>> => {
  const ended = Acquire.endNow(registry, entry, { trigger: "cleanup", exit, caller })
  return Effect.flatMap(ended, (): Effect.Effect<B, E | CleanupError.CleanupError<any>> => {
    if (Exit.isFailure(exit)) return exit
    const { run } = entry
    return run?.hasFailed === true ? Effect.fail(run.error!) : exit
  })
}

/** The form of `use`: the two functions are given in two calls, as in one they could be taken for each other. */
export interface Use {
  <A, EA, RA, E, RR, RS = never, RF = never, D extends Dependencies = readonly []>(
    acquire: Effect.Effect<A, EA, RA>,
    release: Release<A, E, RR>,
    options?: Options<A, E, RS, RF, D>
  ): <B, EB, RB>(
    f: (value: A) => Effect.Effect<B, EB, RB>
  ) => Effect.Effect<
    B,
    EA | EB | CleanupError.CleanupError<E> | DependencyError<D>,
    RA | RR | RB | RS | RF | ResourceRegistry
  >
}

const usedBy = (
  acquire: Effect.Effect<any, any, any>,
  plan: Acquire.AcquirePlan,
  f: (value: any) => Effect.Effect<any, any, any>
): Effect.Effect<any, any, any> =>
  Effect.uninterruptibleMask((restore) =>
    Fibers.withFiber((fiber) => {
      const registry = registryOf(Refs.service(fiber, ResourceRegistry))
      return Effect.flatMap(
        Acquire.acquire(fiber, acquire, { plan, registry, scope: undefined, result: entryOf }),
        (entry) =>
          Effect.flatMap(
            Effect.exit(restore(UserFunction.effect((): Effect.Effect<any, any, any> =>
              // A forced cleanup may have come first.
              entry.isUsable ? f(entry.value) : Effect.fail(gone(entry))
            ))),
            (exit) => afterUse(registry, entry, callerOf(fiber), exit)
          )
      )
    })
  )

/**
 * Acquires, uses and releases, for typed pipelines. The use's own error wins; after a successful use a cleanup that failed
 * for good is the error. Needs no Scope. An `Effect.acquireUseRelease` that is only renamed does not compile.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const withFile = ResourceGuard.use(Effect.succeed("file"), () => Effect.fail("disk full" as const))
 * const program = withFile((file) => Effect.succeed(file.length)).pipe(
 *   Effect.catchTag("CleanupFailed", (error) => Effect.succeed(error.message.includes("disk full")))
 * )
 *
 * console.log(await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))) // => true
 * ```
 */
export const use: Use = /* @__PURE__ */ (() => {
  // `use(acquire, release, f, options)` is what was compiled before the two calls; the types have it no more.
  const use = (acquire: Effect.Effect<any, any, any>, release: AnyRelease, third?: any, fourth?: any): any => {
    const isOne = typeof third === "function"
    const plan = planOf(release, isOne ? fourth : third, callSite(isNamed(isOne ? fourth : third), false, use))
    return isOne ? usedBy(acquire, plan, third) : (f: any) => usedBy(acquire, plan, f)
  }
  return use
})()

/**
 * A service whose release may fail: acquired when its layer is built, released when the layer's scope closes.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Database extends Context.Tag("Database")<Database, { readonly query: string }>() {}
 *
 * const layer = ResourceGuard.layer(
 *   Database,
 *   Effect.succeed({ query: "select 1" }),
 *   () => Effect.fail("refused" as const),
 *   { timeout: "5 seconds", recovery: { fallback: () => Effect.log("destroyed") } }
 * )
 * const program = Effect.map(Database, (database) => database.query)
 *
 * console.log(
 *   await Effect.runPromise(program.pipe(Effect.provide(layer.pipe(Layer.provide(ResourceRegistry.layer)))))
 * ) // => select 1
 * ```
 */
export const layer = <I, S, A extends S, EA, RA, E, RR, RS = never, RF = never, D extends Dependencies = readonly []>(
  tag: Context.Tag<I, S>,
  acquire: Effect.Effect<A, EA, RA>,
  release: Release<A, E, RR>,
  options?: Options<A, E, RS, RF, D>
): Layer.Layer<
  I,
  EA | CleanupError.RegistryShuttingDown | DependencyError<D>,
  Exclude<RA | RR | RS | RF, Scope.Scope> | ResourceRegistry
> =>
  Layer.scoped(
    tag,
    scoped(acquire, planOf(release, options, callSite(true, true, layer), tag.key), false, valueOf)
  ) as Layer.Layer<any, any, any>

/**
 * Any scoped effect of another library as one guard of its value, with `timeout` for all of its finalizers together and
 * `attemptTimeout` for each. A finalizer that fails, dies or hangs keeps no other from running. It makes the cleanup
 * fail, with the report of all of them. They run once: a retry of the cleanup only reports them again.
 *
 * The effect runs in a scope of its own and can be interrupted wherever it can be by itself; when it fails or is
 * interrupted, that scope is closed before anything goes on. After a `disarm` the scope stays open for good.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const connect = Effect.acquireRelease(Effect.succeed("connection"), () => Effect.die("connection reset"))
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const guard = yield* ResourceGuard.fromScoped(connect, { typeName: "Queue" })
 *   console.log(yield* guard.value) // => connection
 *   return yield* Effect.flip(guard.cleanup)
 * }))
 * const error = await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))
 * console.log(error.message.includes("1 of 1 finalizers did not succeed")) // => true
 * ```
 */
export const fromScoped: FromScoped.FromScoped = (effect, options) =>
  FromScoped.make(effect, planOf(() => Effect.void, options, callSite(isNamed(options), false, fromScoped)), guardOf)

/**
 * A resource that is replaced from time to time while it is in use: rotating credentials, certificates, tokens. Each value
 * is a guard of its own; the next is acquired before the last is handed to cleanup, and no value is released before its
 * last user (`use`, scoped `get`) is gone, as far as the closing of the Scope or of the registry allows. A refresh that
 * fails keeps the value. The first acquire is that of a guard; each has a Scope of its own, which closes after the value's
 * release.
 *
 * A closing Scope ends the refreshing first, interrupts a refresh in flight where its acquire can be interrupted, waits
 * for it else (as long as for a cleanup), and then releases every value that is left.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Effect, Schedule } from "effect"
 *
 * let issued = 0
 * const login = Effect.sync(() => `token ${++issued}`)
 * const logout = (token: string) => Effect.sync(() => console.log(`revoked ${token}`))
 *
 * const program = Effect.scoped(Effect.gen(function*() {
 *   const token = yield* ResourceGuard.refreshable(login, logout, { schedule: Schedule.spaced("10 minutes") })
 *   yield* token.use((used) => Effect.andThen(token.refresh, Effect.sync(() => console.log(`still usable: ${used}`))))
 *   return yield* token.value
 * }))
 * console.log(await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))) // => token 2
 * ```
 */
export const refreshable: MakeRefreshable = (acquire, release, options) =>
  Refreshing.make(acquire, planOf(release, options, callSite(isNamed(options), false, refreshable)), options)

/**
 * A refreshable as a service, made when its layer is built. What a refresh can fail with is part of the service's type,
 * and so is `UnknownDependency` where it `dependsOn` something.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { Context, Effect, Layer, Schedule } from "effect"
 *
 * class Credentials extends Context.Tag("Credentials")<Credentials, ResourceGuard.Refreshable<string, "refused">>() {}
 *
 * const layer = ResourceGuard.layerRefreshable(
 *   Credentials,
 *   Effect.succeed("user:password"),
 *   () => Effect.void,
 *   { schedule: Schedule.spaced("1 hour") }
 * )
 * const program = Effect.flatMap(Credentials, (credentials) => credentials.use((secret) => Effect.succeed(secret.length)))
 *
 * console.log(
 *   await Effect.runPromise(program.pipe(Effect.provide(layer.pipe(Layer.provide(ResourceRegistry.layer)))))
 * ) // => 13
 * ```
 */
export const layerRefreshable: LayerRefreshable = (tag, acquire, release, options) =>
  Layer.scoped(
    tag,
    Refreshing.make(
      acquire,
      planOf(release, options, callSite(true, true, layerRefreshable), tag.key),
      options
    )
  )

/**
 * A resource of `using` or `await using` as a guard. Its release is what the end of such a block does: `Symbol.asyncDispose`
 * where it has that, else `Symbol.dispose`. What it throws or rejects with is the release's error, as it is. A promise
 * that `Symbol.dispose` returns is waited for, too.
 */
export const fromDisposable: Disposables.FromDisposable = (acquire, options) =>
  scoped(
    acquire,
    planOf(Disposables.dispose, options, callSite(isNamed(options), false, fromDisposable)),
    false,
    guardOf
  )

/**
 * A guard for code without a Scope: used through `use`, and ended by `cleanup` or by its registry's shutdown. A guard
 * that is garbage collected before either is reported as leaked (`onCollected`), whenever that may be: a Scope is
 * surer. Where a fiber is interrupted after its acquire and before it has the guard, nothing cleans up what it
 * acquired.
 *
 * ```ts
 * import { ResourceGuard, ResourceRegistry, ResourceRuntime } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const runtime = ResourceRuntime.make(ResourceRegistry.layer)
 * const connect = ResourceGuard.makeUnscoped(Effect.succeed("connection"), () => Effect.void)
 *
 * const connection = await runtime.runPromise(connect)
 * console.log(await runtime.runPromise(connection.use((it) => Effect.succeed(it.length)))) // => 10
 * await runtime.runPromise(connection.cleanup)
 * await runtime.dispose()
 * ```
 */
export const makeUnscoped: Unscoped.MakeUnscoped = (acquire, release, options) =>
  Unscoped.make(
    acquire,
    planOf(release, options, callSite(isNamed(options), false, makeUnscoped)),
    options?.onCollected,
    guardOf
  )
