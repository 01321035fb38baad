/**
 * A scope for what is made in large numbers, and mostly puts nothing there: the real one, which limits and names what it
 * releases, is made for the first that does.
 */
import { Effect, Exit, Scope } from "effect"
import type * as CleanupReport from "../../CleanupReport.js"
import type * as ResourceScope from "../../ResourceScope.js"
import type * as Scopes from "../effect3/Scopes.js"
import { closeAndReport } from "./CloseReport.js"
import type { ManagedScope } from "./ManagedScope.js"

const scopeTypeId = "~effect/Scope"

export class LazyScope implements Scope.Scope {
  private inner: ManagedScope | undefined = undefined
  /** It has ended while empty. */
  private isOver = false

  /** `make` makes the real one, at once; it may be shared. */
  constructor(private readonly make: Effect.Effect<ResourceScope.ResourceScope>) {}

  get [scopeTypeId](): typeof scopeTypeId {
    return scopeTypeId
  }

  get strategy(): "sequential" {
    return "sequential"
  }

  get parent(): undefined {
    return undefined
  }

  get isEmpty(): boolean {
    return this.inner?.isEmpty !== false
  }

  private get managed(): ManagedScope {
    return this.inner ??= Effect.runSync(this.make) as ManagedScope
  }

  /** Who comes after its end finds it closed. */
  private get current(): ManagedScope {
    if (this.isOver) Effect.runSync(this.managed.close(Exit.void))
    return this.managed
  }

  /** Effect puts what it is given into a scope there by hand. */
  get state(): ManagedScope["state"] {
    return this.current.state
  }

  addFinalizer(finalizer: Scopes.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => Scope.addFinalizerExit(this.current, finalizer))
  }

  fork(strategy: "sequential" | "parallel"): Effect.Effect<Scope.Closeable> {
    return Effect.suspend(() => this.current.fork(strategy))
  }

  /** The end of an empty one. */
  end(): void {
    this.isOver = true
  }

  /** Releases what is in it. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.suspend(() => closeAndReport(this.managed, exit, this.managed.options))
  }
}
