/**
 * A `Scope` with a plan: whatever is bound to it, by whichever library, is released under a time limit, each attempted,
 * all by a deadline, and accounted for in a report. Any Effect code can be given one. Not for what has to go on after a
 * finalizer that never ends: that one is abandoned, and named.
 */
import { type Context, Effect, type Exit, Layer, Scope } from "effect"
import type * as CleanupReport from "./CleanupReport.js"
import * as StartCheck from "./internal/effect3/StartCheck.js"
import { closeAndReport, reportOf } from "./internal/scope/CloseReport.js"
import { buildWith, LayerMemoMap } from "./internal/scope/LayerMemoMap.js"
import { ManagedScope } from "./internal/scope/ManagedScope.js"
import {
  type CloseOptions,
  defaults,
  resolve,
  type ResolvedScope,
  type ScopeOptions
} from "./internal/scope/ScopeOptions.js"
import { Validation } from "./PatinoxError.js"

export type { CloseOptions, ScopeOptions } from "./internal/scope/ScopeOptions.js"

/**
 * A scope of Effect's that keeps the promises of this package for everything in it. `Scope.close`, `Scope.fork`,
 * `Scope.extend` and the rest work on it; a scope forked from it is one, too, and closes within its deadline.
 */
export interface ResourceScope extends Scope.CloseableScope {
  /** The outcome of everything in it: none while it is open; so far while it closes, with what is `"running"`. */
  readonly report: CleanupReport.CleanupReport | undefined
}

/** Whether a scope is one of these. */
export const isResourceScope = (scope: Scope.Scope): scope is ResourceScope => scope instanceof ManagedScope

/** Whether a scope closes with another one of these, at the latest: it is that, or was forked from it. */
export const isWithin = (scope: Scope.Scope, outer: ResourceScope): boolean =>
  scope instanceof ManagedScope && scope.isWithin(outer)

const checked = <A, E, R>(
  options: ScopeOptions | undefined,
  base: ResolvedScope,
  then: (options: ResolvedScope) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const resolved = resolve(options, base)
  return resolved instanceof Validation ? Effect.die(resolved) : then(resolved)
}

const open = (options: ResolvedScope): ManagedScope => {
  StartCheck.checkScopes()
  return new ManagedScope(options, options.strategy)
}

const makeDefault: Effect.Effect<ManagedScope> = /* @__PURE__ */ Effect.sync(() => open(defaults))

const makeNode = (options: ScopeOptions | undefined): Effect.Effect<ManagedScope> =>
  options === undefined
    ? makeDefault
    : Effect.suspend(() => checked(options, defaults, (resolved) => Effect.succeed(open(resolved))))

/**
 * An open scope. A bad option is a defect with a `Validation` that names the option, the value and the range.
 *
 * ```ts
 * import { ResourceScope } from "@patinox/core"
 * import { Effect, Exit, Scope } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const scope = yield* ResourceScope.make({ timeout: "5 seconds" })
 *   yield* Scope.extend(Effect.acquireRelease(Effect.void, () => Effect.die("refused")), scope)
 *   const report = yield* ResourceScope.close(scope, Exit.void)
 *   return report.records.map(({ outcome, typeName }) => `${typeName} ${outcome}`)
 * })
 * console.log(await Effect.runPromise(program)) // => [ 'finalizer #1 failed' ]
 * ```
 */
export const make = (options?: ScopeOptions): Effect.Effect<ResourceScope> => makeNode(options)

/**
 * Closes a scope and reports the outcome of everything in it. A caller that comes while it is closing waits for that
 * close and gets the same report, as does a later caller. A call from inside one of its finalizers does not wait. It
 * never fails, and once begun it is not interrupted.
 */
export const close = (
  scope: ResourceScope,
  exit: Exit.Exit<unknown, unknown>,
  options?: CloseOptions
): Effect.Effect<CleanupReport.CleanupReport> => {
  const node = scope as ManagedScope
  return checked(
    options,
    node.options,
    (resolved) => closeAndReport(node, exit, resolved)
  )
}

/**
 * `Effect.scoped` in a `ResourceScope`. What the effect ends with is what the caller gets: a finalizer that fails, dies
 * or hangs is logged and abandoned, and changes nothing about it.
 *
 * ```ts
 * import { ResourceScope } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.addFinalizer(() => Effect.die("a defect"))
 *   return yield* Effect.fail("typed" as const)
 * })
 * const caught = ResourceScope.scoped(program).pipe(Effect.catchAll((error) => Effect.succeed(`caught ${error}`)))
 * console.log(await Effect.runPromise(caught)) // => caught typed
 * ```
 */
export const scoped = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: ScopeOptions
): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(makeNode(options), (scope) => Scope.use(effect, scope))

/**
 * As `scoped`, and gives the effect's exit with the report. An interruption arrives after the close, as ever.
 *
 * ```ts
 * import { CleanupReport, ResourceScope } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.andThen(
 *   Effect.addFinalizer(() => Effect.never).pipe(Effect.withSpan("socket")),
 *   Effect.fail("typed")
 * )
 * const [exit, report] = await Effect.runPromise(ResourceScope.withReport(program, { finalizerTimeout: "10 millis" }))
 * console.log(exit._tag) // => Failure
 * console.log(report.totals.abandoned, report.records[0]?.typeName) // => 1 socket
 * ```
 */
export const withReport = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options?: ScopeOptions
): Effect.Effect<readonly [Exit.Exit<A, E>, CleanupReport.CleanupReport], never, Exclude<R, Scope.Scope>> =>
  Effect.flatMap(makeNode(options), (scope) =>
    Effect.map(
      Effect.exit(Scope.use(effect, scope)),
      (exit) => [exit, reportOf(scope, scope.options)] as const
    ))

/**
 * Builds a layer into the scope at hand; each scope inside it is a `ResourceScope`. What hangs in a part of a composed
 * layer is limited and named, and what that part depends on is still released, after it.
 */
export const build = <A, E, R>(
  layer: Layer.Layer<A, E, R>
): Effect.Effect<Context.Context<A>, E, R | Scope.Scope> =>
  Effect.flatMap(Scope.Scope, (scope) => buildIn(layer, scope))

const buildIn = <A, E, R>(layer: Layer.Layer<A, E, R>, scope: Scope.Scope): Effect.Effect<Context.Context<A>, E, R> =>
  Effect.suspend(() => {
    StartCheck.checkScopes()
    return buildWith(layer, new LayerMemoMap(scope instanceof ManagedScope ? scope.options : defaults), scope)
  })

/**
 * A memo map whose layers are built into `ResourceScope`s, to share layers between builds: for `Layer.buildWithMemoMap`
 * and `ManagedRuntime.make`. A layer in it stays for as long as anybody holds it, whoever built it first.
 */
export const makeMemoMap = (options?: CloseOptions): Effect.Effect<Layer.MemoMap> =>
  Effect.suspend(() =>
    checked(options, defaults, (resolved) => {
      StartCheck.checkScopes()
      return Effect.succeed(new LayerMemoMap(resolved))
    })
  )

/** The form of `provide`. */
export interface Provide {
  <ROut, E2, RIn>(
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: ScopeOptions
  ): <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>>
  <A, E, R, ROut, E2, RIn>(
    effect: Effect.Effect<A, E, R>,
    layer: Layer.Layer<ROut, E2, RIn>,
    options?: ScopeOptions
  ): Effect.Effect<A, E | E2, RIn | Exclude<R, ROut>>
}

/**
 * `Effect.provide` of a layer that is built as `build` does and released by the deadline.
 *
 * ```ts
 * import { ResourceScope } from "@patinox/core"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Database extends Context.Tag("Database")<Database, string>() {}
 * class Cache extends Context.Tag("Cache")<Cache, string>() {}
 *
 * const released: Array<string> = []
 * const database = Layer.scoped(
 *   Database,
 *   Effect.acquireRelease(Effect.succeed("rows"), () => Effect.sync(() => released.push("database")))
 * )
 * const cache = Layer.scoped(Cache, Effect.zipLeft(Database, Effect.addFinalizer(() => Effect.never)))
 *
 * const program = ResourceScope.provide(Cache, cache.pipe(Layer.provide(database)), { finalizerTimeout: "10 millis" })
 * console.log(await Effect.runPromise(program), released) // => rows [ 'database' ]
 * ```
 */
export const provide: Provide = (...args: ReadonlyArray<any>): any =>
  Layer.isLayer(args[0])
    ? (effect: Effect.Effect<any, any, any>) => provided(effect, args[0] as Layer.Layer<any>, args[1])
    : provided(args[0], args[1], args[2])

const provided = (
  effect: Effect.Effect<any, any, any>,
  layer: Layer.Layer<any, any, any>,
  options: ScopeOptions | undefined
): Effect.Effect<any, any, any> =>
  Effect.acquireUseRelease(
    makeNode(options),
    (scope) => Effect.flatMap(buildIn(layer, scope), (context) => Effect.provide(effect, context)),
    (scope, exit) => scope.close(exit)
  )
