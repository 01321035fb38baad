/**
 * Runs a program as the process: signals, a deadline for all that follows them, a report, and the exit code. Not for a part
 * of a process: there is one of these in it at a time, in the main thread.
 */
import { Text } from "@patinox/core/kernel"
import { Validation } from "@patinox/core/PatinoxError"
import * as ResourceScope from "@patinox/core/ResourceScope"
import { Cause, Effect, Exit, Layer, type Scope } from "effect"
import { type Program, runProgram } from "./internal/Main.js"
import { type Options, resolve } from "./internal/RunOptions.js"
import * as Stdio from "./internal/Stdio.js"

export type { Options, Signal } from "./internal/RunOptions.js"

/** The form of `runMain`. */
export interface RunMain {
  (options?: Options): <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => void
  <A, E>(effect: Effect.Effect<A, E, Scope.Scope>, options?: Options): void
}

/**
 * Runs an effect as the process, as Effect's `runMain` does, with a scope that belongs to it.
 *
 * From SIGTERM, SIGINT or SIGHUP on: readiness turns false; after `readinessDelay` the running fibers are interrupted; then
 * the scope closes; then the loggers. All of it takes `shutdownTimeout` at most, counted from the signal. An uncaught
 * exception or an unhandled rejection does the same. The exit code is 0 where all was clean, 1 where the program, a
 * cleanup or the deadline failed; a second signal exits at once with 128 + its number.
 *
 * ```ts no-run
 * import { NodeRuntime } from "@patinox/platform-node"
 * import { Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   yield* Effect.acquireRelease(Effect.log("open"), () => Effect.log("closed"))
 *   return yield* Effect.never
 * })
 *
 * program.pipe(NodeRuntime.runMain({ shutdownTimeout: "10 seconds" }))
 * ```
 */
export const runMain: RunMain = (...args: ReadonlyArray<any>): any =>
  Effect.isEffect(args[0])
    ? start(() => args[0], args[1])
    : (effect: Effect.Effect<unknown, unknown, Scope.Scope>) => start(() => effect, args[0])

/** Of `launch`. */
export interface LaunchOptions<R> extends Options {
  /** The program that the layer is for: the process ends with it. Without one it ends with a signal. */
  readonly main?: Effect.Effect<unknown, unknown, R | Scope.Scope>
}

/** The form of `launch`. */
export interface Launch {
  <R = never>(options?: LaunchOptions<R>): <E>(layer: Layer.Layer<Exclude<R, Scope.Scope>, E>) => void
  <ROut, E>(layer: Layer.Layer<ROut, E>, options?: LaunchOptions<NoInfer<ROut>>): void
}

/**
 * Builds an application's layers and runs them as the process, as `runMain` does. Each layer has a `ResourceScope`, so
 * limits reach inside and whatever hangs in one is named by its service. A layer that fails to build ends the process
 * with 1, once what had been built is released.
 *
 * ```ts no-run
 * import { NodeRuntime } from "@patinox/platform-node"
 * import { Context, Effect, Layer } from "effect"
 *
 * class Database extends Context.Tag("app/Database")<Database, { readonly rows: number }>() {}
 *
 * const DatabaseLive = Layer.scoped(
 *   Database,
 *   Effect.acquireRelease(Effect.succeed({ rows: 3 }), () => Effect.log("closed"))
 * )
 *
 * NodeRuntime.launch(DatabaseLive, {
 *   readinessDelay: "3 seconds",
 *   main: Effect.flatMap(Database, ({ rows }) => Effect.log(rows))
 * })
 * ```
 */
export const launch: Launch = (...args: ReadonlyArray<any>): any =>
  Layer.isLayer(args[0])
    ? startLayer(args[0] as Layer.Layer<unknown, unknown>, args[1])
    : (layer: Layer.Layer<unknown, unknown>) => startLayer(layer, args[0])

const startLayer = (layer: Layer.Layer<unknown, unknown>, options: LaunchOptions<any> = {}): void => {
  const main: Effect.Effect<unknown, unknown, any> = options.main ?? Effect.never
  start((build) => Effect.flatMap(build(layer), (context) => Effect.provide(main, context)), options)
}

/**
 * Asks for a graceful stop of the process, from wherever: the same shutdown as at a signal begins, `readinessDelay` included,
 * and is not waited for. The exit code is 0 where all is clean. Where a shutdown goes on, or nothing runs, it does nothing.
 * Inside the program `Shutdown` of `@patinox/platform` does the same without knowing of Node.
 *
 * ```ts no-run
 * import { NodeRuntime } from "@patinox/platform-node"
 * import { Effect } from "effect"
 *
 * const batch = Effect.andThen(Effect.log("all is done"), NodeRuntime.requestShutdown("the batch is done"))
 * ```
 */
export const requestShutdown = (message?: string): Effect.Effect<void> =>
  Effect.sync(() => shared[running]?.request(message))

/** Shared by all copies of this package in the process. */
const running = Symbol.for("@patinox/platform-node/running")
/** The scope of the program that was started last. */
const last = Symbol.for("@patinox/platform-node/last")
const shared = globalThis as {
  [running]?: { readonly request: (message: string | undefined) => void } | undefined
  [last]?: object
}

const start = (program: Program, options: Options = {}): void => {
  const resolved = resolve(options)
  if (resolved instanceof Validation) return refuse(resolved)
  const scope = Effect.runSyncExit(ResourceScope.make(resolved.scope))
  if (Exit.isFailure(scope)) return refuse(Cause.squash(scope.cause))
  if (shared[running] !== undefined) {
    throw new Error("NodeRuntime runs a program already: run the two as one effect, with Effect.all or Layer.merge")
  }
  // From its first step on it may ask for its end.
  let requested: readonly [message: string | undefined] | undefined
  shared[running] = { request: (message) => (requested ??= [message]) }
  shared[last] = scope.value
  const main = runProgram(program, resolved, scope.value, {
    onEnd: () => {
      shared[running] = undefined
    },
    isLast: () => shared[last] === scope.value
  })
  shared[running] = main
  if (requested !== undefined) main.request(requested[0])
}

const refuse = (error: unknown): void => {
  Stdio.writeNow(`NodeRuntime: ${error instanceof Validation ? error.message : Text.unknown(error)}`)
  process.exit(1)
}
