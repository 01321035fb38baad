/**
 * The scope of this package: a `CloseableScope` in the shape of Effect's own. Its finalizers know where they come from,
 * and its close is a `ScopeClose`. A scope forked from it is a `ManagedScope`, too.
 */
import { Effect, type ExecutionStrategy, type Exit, Pipeable, Scope } from "effect"
import type { CleanupReport } from "../../CleanupReport.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Scopes from "../effect3/Scopes.js"
import { FinalizerKey, ScopeKey } from "./FinalizerKeys.js"
import type { Ended, FinalizerQueue } from "./FinalizerQueue.js"
import * as ScopeClose from "./ScopeClose.js"
import type { ResolvedScope } from "./ScopeOptions.js"

export class ManagedScope implements Scope.CloseableScope {
  state = Scopes.openState()
  /** Its close while that goes on, and then its outcome; neither where it was closed empty. */
  drive: FinalizerQueue | undefined = undefined
  ended: Ended | undefined = undefined
  /** What its finalizers are called: the layer that it was made for. */
  label: string | undefined = undefined
  private added = 0

  constructor(
    readonly options: ResolvedScope,
    readonly strategy: ExecutionStrategy.ExecutionStrategy,
    private parent: ManagedScope | undefined = undefined,
    private readonly key: ScopeKey | undefined = parent && new ScopeKey(() => this)
  ) {}

  pipe() {
    return Pipeable.pipeArguments(this, arguments)
  }

  /** Whether it closes with another scope, at the latest. */
  isWithin(scope: Scope.Scope): boolean {
    return scope === this || (this.parent?.isWithin(scope) ?? false)
  }

  get isForked(): boolean {
    return this.key !== undefined
  }

  /** The outcome of its close, once that is over. */
  get closed(): CleanupReport | undefined {
    return this.ended?.report
  }

  get report(): CleanupReport | undefined {
    return this.closed ?? this.drive?.reading()
  }

  get [Scope.ScopeTypeId](): Scope.ScopeTypeId {
    return Scope.ScopeTypeId
  }

  get [Scope.CloseableScopeTypeId](): Scope.CloseableScopeTypeId {
    return Scope.CloseableScopeTypeId
  }

  addFinalizer(finalizer: Scope.Scope.Finalizer): Effect.Effect<void> {
    return Fibers.withFiber((fiber) => {
      const { state } = this
      if (state._tag === "Closed") return Effect.suspend(() => finalizer(state.exit))
      const span = Fibers.spanOf(fiber)
      state.finalizers.set(new FinalizerKey(++this.added, span?._tag === "Span" ? span.name : undefined), finalizer)
      return Effect.void
    })
  }

  fork(strategy: ExecutionStrategy.ExecutionStrategy): Effect.Effect<ManagedScope> {
    return Effect.sync(() => {
      const { state } = this
      if (state._tag === "Closed") {
        const child = new ManagedScope(this.options, strategy)
        child.state = state
        return child
      }
      const child = new ManagedScope(this.options, strategy, this)
      state.finalizers.set(child.key!, (exit) => child.close(exit))
      return child
    })
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return this.closeWith(exit, this.options)
  }

  closeWith(exit: Exit.Exit<unknown, unknown>, options: ResolvedScope): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state._tag === "Open" ? this.state.finalizers.size > 0 : this.drive !== undefined) {
        return Effect.uninterruptible(Fibers.withFiber((fiber) => ScopeClose.close(this, exit, options, fiber)))
      }
      if (this.state._tag === "Open") {
        this.state = { _tag: "Closed", exit }
        this.detach()
      }
      return Effect.void
    })
  }

  /** Is closed from now on; gives the finalizers in the order in which they were added. */
  takeFinalizers(exit: Exit.Exit<unknown, unknown>): Array<readonly [key: object, finalizer: Scope.Scope.Finalizer]> {
    const { state } = this
    if (state._tag === "Closed") return []
    this.state = { _tag: "Closed", exit }
    return [...state.finalizers]
  }

  /** An open parent keeps nothing of a scope that is closed. */
  detach(): void {
    if (this.parent !== undefined) Scopes.dropFinalizer(this.parent, this.key!)
    this.parent = undefined
  }
}
