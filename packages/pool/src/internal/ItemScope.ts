/**
 * The scope that an item is created in. Most creations put nothing there, so the real one, which limits and names what it
 * releases, is made for the first that does: an idle item is smaller by a quarter.
 */
import type { CleanupReport } from "@patinox/core"
import { ResourceScope } from "@patinox/core"
import { Effect, ExecutionStrategy, Exit, Pipeable, Scope } from "effect"
import * as Seam from "./Seam.js"

export class ItemScope implements Scope.Scope {
  private inner: ResourceScope.ResourceScope | undefined = undefined
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
    return this.inner === undefined || !Seam.hasFinalizers(this.inner)
  }

  private get open(): Effect.Effect<ResourceScope.ResourceScope> {
    return Effect.suspend(() => {
      const ready = this.inner === undefined
        ? Effect.map(this.make, (scope) => this.inner = scope)
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
