/**
 * Why the process ends, for whoever cleans up, and how to ask for its end from inside. `NodeRuntime` gives it; elsewhere
 * nothing ends and nobody listens. Not for whether new work is wanted: that is `Readiness`.
 */
import { Context, Effect, type Exit } from "effect"

/** What set the shutdown off: the first of them, where more than one came. */
export type Reason =
  /** A signal, or `"disconnect"` where the parent has closed the channel to this process. */
  | { readonly _tag: "Signal"; readonly signal: string }
  /** Somebody inside has asked for it, with these words if any. */
  | { readonly _tag: "Request"; readonly message: string | undefined }
  /** Nobody has caught this. */
  | { readonly _tag: "Uncaught"; readonly event: string; readonly error: unknown }
  /** The layers were not built by the `startTimeout`. */
  | { readonly _tag: "StartTimeout"; readonly layers: ReadonlyArray<string> }
  /** The program has ended by itself, with this. */
  | { readonly _tag: "Ended"; readonly exit: Exit.Exit<unknown, unknown> }

export interface Shutdown {
  /** Why the process shuts down; nothing while it does not. */
  readonly reason: Effect.Effect<Reason | undefined>
  /** Begins the same shutdown as a signal does, `readinessDelay` included, and does not wait for it. Later ones change nothing. */
  readonly request: (message?: string) => Effect.Effect<void>
}

/**
 * The shutdown of the process. It is there for finalizers and releases, too:
 *
 * ```ts no-run
 * import { Shutdown } from "@patinox/platform"
 * import { Effect } from "effect"
 *
 * const lock = Effect.acquireRelease(Effect.succeed("lock"), () =>
 *   Effect.gen(function*() {
 *     const { reason } = yield* Shutdown.Shutdown
 *     const why = yield* reason
 *     yield* Effect.log(why?._tag === "Uncaught" ? "kept for who looks into it" : "given back")
 *   }))
 * ```
 */
export const Shutdown = /* @__PURE__ */ Context.Reference<Shutdown>()("@patinox/platform/Shutdown", {
  defaultValue: (): Shutdown => ({ reason: Effect.succeed(undefined), request: () => Effect.void })
})
