/**
 * What `ManagedRuntime` is, on a `ResourceScope`: a layer, built at the first run, and the ways to run effects with it
 * from outside of Effect. Disposed, it ends the fibers that it runs before it releases what they use, is over by a
 * deadline, and gives the report. Inside of Effect, provide the layer: `ResourceScope.provide`.
 */
import { Effect, type Exit, Fiber, type Layer, type Scope } from "effect"
import type { CleanupReport } from "./CleanupReport.js"
import * as Fibers from "./internal/effect3/Fibers.js"
import * as Layers from "./internal/effect3/Layers.js"
import * as Refs from "./internal/effect3/Refs.js"
import * as Runtimes from "./internal/effect3/Runtimes.js"
import * as StartCheck from "./internal/effect3/StartCheck.js"
import { callSite } from "./internal/kernel/CallSite.js"
import { TaggedError } from "./internal/kernel/TaggedError.js"
import * as UserFunction from "./internal/kernel/UserFunction.js"
import { RunningFibers } from "./internal/runtime/RunningFibers.js"
import { RuntimeDisposal } from "./internal/runtime/RuntimeDisposal.js"
import { buildWith, LayerMemoMap } from "./internal/scope/LayerMemoMap.js"
import { ManagedScope } from "./internal/scope/ManagedScope.js"
import { resolve } from "./internal/scope/ScopeOptions.js"
import { invalidOption, Validation } from "./PatinoxError.js"
import type { ScopeOptions } from "./ResourceScope.js"

/** The runtime has been disposed, or is being: it no longer runs effects. */
export class RuntimeDisposed extends /* @__PURE__ */ TaggedError("RuntimeDisposed")<{
  /** The runtime's name. */
  readonly runtime: string
}> {
  override get message(): string {
    return `The runtime ${this.runtime} has been disposed and runs nothing any more; make a new one`
  }
}

/** How a runtime is made: how its scope closes, and what it shares with others. */
export interface RuntimeOptions extends ScopeOptions {
  /** What errors call it. Default: the place where it was made. */
  readonly name?: string
  /** To share layers with others: one of `ResourceScope.makeMemoMap`, so that limits reach inside of what it builds. */
  readonly memoMap?: Layer.MemoMap
}

/** Aborted, it interrupts. */
export interface PromiseOptions {
  readonly signal?: AbortSignal | undefined
}

/** Runs effects with the services of a layer. Its functions need no `this`. */
export interface ResourceRuntime<in R, out ER> extends AsyncDisposable {
  readonly memoMap: Layer.MemoMap
  /** Holds what the layer has acquired. What is added or forked in it later ends before that. Closed by a dispose only. */
  readonly scope: Scope.Scope
  /**
   * The layer, built, as a runtime of Effect's. Fibers that are run with it elsewhere are not known here and not ended:
   * prefer the functions below.
   */
  readonly runtimeEffect: Effect.Effect<Runtimes.AppRuntime<R>, ER>
  /** As `runtimeEffect`. */
  readonly runtime: () => Promise<Runtimes.AppRuntime<R>>
  readonly runFork: <A, E>(
    effect: Effect.Effect<A, E, R>,
    options?: Runtimes.RunForkOptions
  ) => Fiber.RuntimeFiber<A, E | ER>
  /** Dies with Effect's `AsyncFiberException` where the layer or the effect has to wait. */
  readonly runSyncExit: <A, E>(effect: Effect.Effect<A, E, R>) => Exit.Exit<A, E | ER>
  readonly runSync: <A, E>(effect: Effect.Effect<A, E, R>) => A
  readonly runCallback: <A, E>(
    effect: Effect.Effect<A, E, R>,
    options?: Runtimes.RunCallbackOptions<A, E | ER>
  ) => Runtimes.Cancel<A, E | ER>
  readonly runPromise: <A, E>(
    effect: Effect.Effect<A, E, R>,
    options?: PromiseOptions
  ) => Promise<A>
  readonly runPromiseExit: <A, E>(
    effect: Effect.Effect<A, E, R>,
    options?: PromiseOptions
  ) => Promise<Exit.Exit<A, E | ER>>
  /**
   * Ends the runtime. From now on every run fails with `RuntimeDisposed`. Fibers that it runs, and a build that goes on,
   * are interrupted and waited for. The wait lasts as long as one finalizer may take, and half of `timeout` at most. A
   * fiber that has not ended by then is logged and stands in the report as abandoned. Then the scope closes; all of it
   * within `timeout`. A fiber that a run has forked as a daemon is not known, and not ended.
   *
   * Never fails, and once begun it is not interrupted. A caller that comes while it goes on, or later, gets the same
   * report. A run that asks for it is itself left to end afterwards. A call from a run that is being ended, or from a
   * finalizer of the scope, does not wait.
   */
  readonly disposeEffect: Effect.Effect<CleanupReport>
  /** As `disposeEffect`. */
  readonly dispose: () => Promise<CleanupReport>
}

/** The services that a runtime has. */
export type Context<T extends ResourceRuntime<never, any>> = [T] extends [ResourceRuntime<infer R, any>] ? R : never

/** What a runtime may fail with before an effect runs. */
export type Error<T extends ResourceRuntime<never, any>> = [T] extends [ResourceRuntime<never, infer E>] ? E : never

class AppRuntime<R, ER> implements ResourceRuntime<R, ER | RuntimeDisposed> {
  private readonly running = new RunningFibers()
  /** The layer as far as it is built; nothing before the first run, and nothing from the dispose on. */
  private building: Fiber.RuntimeFiber<Runtimes.AppRuntime<R>, ER> | undefined = undefined
  private built: Runtimes.AppRuntime<R> | undefined = undefined
  private ending: RuntimeDisposal | undefined = undefined

  constructor(
    private readonly layer: Layer.Layer<R, ER>,
    readonly scope: ManagedScope,
    readonly memoMap: Layer.MemoMap,
    private readonly name: () => string
  ) {}

  private build(): void {
    if (this.building !== undefined || this.ending !== undefined) return
    Runtimes.startRuntime(Fibers.withFiber((fiber) => {
      // Before anything of the layer runs: it may ask for its own runtime.
      this.building = fiber
      this.running.add(fiber, "the build of the layer in fiber")
      Fibers.observe(fiber, (exit) => {
        if (exit._tag === "Success") this.built = exit.value
      })
      // Of a memo map it needs what each has, Effect's own too.
      return buildWith(this.layer, this.memoMap as LayerMemoMap, this.scope)
    }))
  }

  private get disposed(): Effect.Effect<never, RuntimeDisposed> {
    return Effect.fail(new RuntimeDisposed({ runtime: this.name() }))
  }

  readonly runtimeEffect: Effect.Effect<Runtimes.AppRuntime<R>, ER | RuntimeDisposed> = Effect.suspend(() => {
    this.build()
    const { building, built, disposed, ending } = this
    if (ending !== undefined) return disposed
    if (built !== undefined) return Effect.succeed(built)
    return Effect.flatMap(
      Fiber.await(building!),
      // A build that the dispose has interrupted has no answer of its own.
      (exit): Effect.Effect<Runtimes.AppRuntime<R>, ER | RuntimeDisposed> => this.ending === undefined ? exit : disposed
    )
  })

  /** Runs an effect in what is built, or lets it wait for that in its own fiber. */
  private run<A, E, B>(
    effect: Effect.Effect<A, E, R>,
    start: (runtime: Runtimes.AppRuntime<R>, effect: Effect.Effect<A, E | ER | RuntimeDisposed, R>) => B
  ): B {
    this.build()
    const { built } = this
    const inside = built !== undefined
      ? effect
      : Effect.flatMap(this.runtimeEffect, (runtime) => Effect.provide(effect, runtime))
    return start(
      built ?? Runtimes.emptyRuntime() as Runtimes.AppRuntime<any>,
      Fibers.withFiber((fiber): Effect.Effect<A, E | ER | RuntimeDisposed, R> => {
        if (this.ending !== undefined) return this.disposed
        this.running.add(fiber, "fiber")
        return inside
      })
    )
  }

  readonly runtime = () => Effect.runPromise(this.runtimeEffect)

  readonly runFork: ResourceRuntime<R, ER | RuntimeDisposed>["runFork"] = (effect, options) =>
    this.run(effect, (runtime, inside) => Runtimes.run.fork(runtime)(inside, options))

  readonly runSyncExit: ResourceRuntime<R, ER | RuntimeDisposed>["runSyncExit"] = (effect) =>
    this.run(effect, (runtime, inside) => Runtimes.run.syncExit(runtime)(inside))

  readonly runSync: ResourceRuntime<R, ER>["runSync"] = (effect) =>
    this.run(effect, (runtime, inside) => Runtimes.run.sync(runtime)(inside))

  readonly runCallback: ResourceRuntime<R, ER | RuntimeDisposed>["runCallback"] = (effect, options) =>
    this.run(effect, (runtime, inside) => Runtimes.run.callback(runtime)(inside, options))

  readonly runPromise: ResourceRuntime<R, ER>["runPromise"] = (effect, options) =>
    this.run(
      effect,
      (runtime, inside) => Runtimes.run.promise(runtime)(inside, options as { readonly signal?: AbortSignal })
    )

  readonly runPromiseExit: ResourceRuntime<R, ER | RuntimeDisposed>["runPromiseExit"] = (effect, options) =>
    this.run(
      effect,
      (runtime, inside) => Runtimes.run.promiseExit(runtime)(inside, options as { readonly signal?: AbortSignal })
    )

  /** `caller` is the fiber that asks, where it is not the one that runs this. */
  private end(caller?: Fibers.CurrentFiber): Effect.Effect<CleanupReport> {
    return Effect.uninterruptible(Fibers.withFiber((fiber) => {
      if (this.ending !== undefined) return this.ending.join(caller ?? fiber)
      this.ending = new RuntimeDisposal(this.scope, this.running, caller ?? fiber)
      this.built = this.building = undefined
      return this.ending.begin(caller ?? fiber)
    }))
  }

  readonly disposeEffect = this.end()

  readonly dispose = (): Promise<CleanupReport> => {
    // As part of the fiber that calls it, where one does, or else with the loggers of the layer.
    const caller = Fibers.fiberAtWork()
    const origin = caller === undefined
      ? Runtimes.logSettingsOf(this.built ?? Runtimes.emptyRuntime())
      : Refs.originOf(caller)
    return Effect.runPromise(Fiber.join(Fibers.forkNow(this.end(caller), origin)))
  };

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose().then(() => {})
  }
}

/**
 * A runtime of a layer, which is built at the first run, once; runs that come meanwhile wait for it. A layer that fails to
 * build gives every run its failure, and has then released what it had acquired. Throws a `Validation` that names the
 * option, the value and the range where one is wrong.
 *
 * ```ts
 * import { CleanupReport, ResourceRuntime } from "@patinox/core"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Database extends Context.Tag("app/Database")<Database, { readonly query: Effect.Effect<number> }>() {}
 *
 * const released: Array<string> = []
 * const layer = Layer.scoped(
 *   Database,
 *   Effect.acquireRelease(
 *     Effect.succeed({ query: Effect.succeed(42) }),
 *     () => Effect.sync(() => released.push("database"))
 *   )
 * )
 * const runtime = ResourceRuntime.make(layer, { timeout: "5 seconds" })
 * console.log(await runtime.runPromise(Effect.flatMap(Database, (database) => database.query))) // => 42
 *
 * runtime.runFork(Effect.onInterrupt(Effect.never, () => Effect.sync(() => released.push("fiber"))))
 * const report = await runtime.dispose()
 * console.log(released.join(", then ")) // => fiber, then database
 * console.log(CleanupReport.isClean(report)) // => true
 *
 * const exit = await runtime.runPromiseExit(Effect.void)
 * console.log(exit.toString().includes("RuntimeDisposed")) // => true
 * ```
 *
 * With `await using runtime = ResourceRuntime.make(layer)` it is disposed at the end of the block.
 */
export const make = <R, E>(
  layer: Layer.Layer<R, E>,
  options: RuntimeOptions = {}
): ResourceRuntime<R, E | RuntimeDisposed> => {
  const resolved = resolve(options)
  if (resolved instanceof Validation) throw resolved
  const { memoMap, name } = options
  if (memoMap !== undefined && !UserFunction.call(() => Layers.isMemoMap(memoMap), () => false)) {
    throw invalidOption("memoMap", memoMap, "a Layer.MemoMap")
  }
  if (name !== undefined && (typeof name !== "string" || name === "")) {
    throw invalidOption("name", name, "a text that is not empty")
  }
  StartCheck.checkScopes()
  const site = callSite(name !== undefined, false, make)
  return new AppRuntime(
    layer,
    new ManagedScope(resolved, resolved.strategy),
    memoMap ?? new LayerMemoMap(resolved),
    () => name ?? site?.name ?? "runtime"
  )
}
