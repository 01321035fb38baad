/**
 * A scope for what is made in large numbers, and mostly puts nothing there: the real one, which limits and names what it
 * releases, is made for the first that does.
 */
import { Effect, ExecutionStrategy, Exit, Pipeable, Scope } from "effect"
import type * as CleanupReport from "../../CleanupReport.js"
import type * as ResourceScope from "../../ResourceScope.js"
import { closeAndReport } from "./CloseReport.js"
import type { ManagedScope } from "./ManagedScope.js"

export class LazyScope implements Scope.Scope {
  private inner: ManagedScope | undefined = undefined
  /** It has ended while empty. */
  private isOver = false

  /** `make` makes the real one, at once; it may be shared. */
  constructor(private readonly make: Effect.Effect<ResourceScope.ResourceScope>) {}

  get [Scope.ScopeTypeId](): Scope.ScopeTypeId {
    return Scope.ScopeTypeId
  }

  get strategy(): ExecutionStrategy.ExecutionStrategy {
    return ExecutionStrategy.sequential
  }

  pipe() {
    return Pipeable.pipeArguments(this, arguments)
  }

  get isEmpty(): boolean {
    const state = this.inner?.state
    return state?._tag !== "Open" || state.finalizers.size === 0
  }

  private get managed(): ManagedScope {
    return this.inner ??= Effect.runSync(this.make) as ManagedScope
  }

  /** A caller after its end finds it closed. */
  private get current(): ManagedScope {
    if (this.isOver) this.managed.takeFinalizers(Exit.void)
    return this.managed
  }

  /** Effect puts the fibers that it forks into a scope there by hand. */
  get state(): ManagedScope["state"] {
    return this.current.state
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.suspend(() => this.current.addFinalizer(finalizer))
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<Scope.CloseableScope> {
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
