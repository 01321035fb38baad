/**
 * A scope for what is made in large numbers, and mostly puts nothing there: the real one, which limits and names what it
 * releases, is made for the first that does.
 */
import { Effect, ExecutionStrategy, Exit, Pipeable, Scope } from "effect"
import type * as CleanupReport from "../CleanupReport.js"
import * as ResourceScope from "../ResourceScope.js"
import type { ScopeNode } from "./ScopeNode.js"

export class LazyScope implements Scope.Scope {
  private inner: ScopeNode | undefined = undefined
  private isOver = false

  /** `make` makes the real one; it may be shared. */
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

  private get open(): Effect.Effect<ResourceScope.ResourceScope> {
    return Effect.suspend(() => {
      const ready = this.inner === undefined
        ? Effect.map(this.make, (scope) => this.inner = scope as ScopeNode)
        : Effect.succeed(this.inner)
      // Who comes after its end finds it closed.
      return this.isOver ? Effect.tap(ready, (scope) => Scope.close(scope, Exit.void)) : ready
    })
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Effect.flatMap(this.open, (scope) => Scope.addFinalizerExit(scope, finalizer))
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<Scope.CloseableScope> {
    return Effect.flatMap(this.open, (scope) => Scope.fork(scope, strategy))
  }

  /** The end of an empty one. */
  end(): void {
    this.isOver = true
  }

  /** Releases what is in it. */
  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.flatMap(this.open, (scope) => {
      this.isOver = true
      return ResourceScope.close(scope, exit)
    })
  }
}
