/**
 * A scope of ours: a `Closeable` in the shape of Effect's own, whose finalizers know where they come from and whose close is
 * a `ScopeClose`. A scope forked from it is one, too. Effect writes straight into a scope's state: what it puts there
 * arrives in a `FinalizerMap`, and its own close calls ours.
 */
import { Effect, type Exit, Scope } from "effect"
import type { CleanupReport } from "../../CleanupReport.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Scopes from "../effect3/Scopes.js"
import { FinalizerKey, ScopeKey } from "./FinalizerKeys.js"
import type { Ended, FinalizerQueue } from "./FinalizerQueue.js"
import * as ScopeClose from "./ScopeClose.js"
import type { ResolvedScope, Strategy } from "./ScopeOptions.js"

const scopeTypeId = "~effect/Scope"
const closeableTypeId = "~effect/Scope/Closeable"

export class ManagedScope implements Scope.Closeable, Scopes.FinalizerOwner {
  // No field is initialised here: a scope that Effect has forked becomes one of these by `init`.
  declare readonly [scopeTypeId]: typeof scopeTypeId
  declare readonly [closeableTypeId]: typeof closeableTypeId
  declare readonly strategy: "sequential" | "parallel"
  declare readonly options: ResolvedScope
  /** How many finalizers run at once. */
  declare readonly plan: Strategy
  declare state: Scopes.OwnScopeState
  declare parent: ManagedScope | undefined
  /** Its close while that goes on, and then what became of it; neither where it was closed empty. */
  declare drive: FinalizerQueue | undefined
  declare ended: Ended | undefined
  /** What its finalizers are called: the layer that it was made for. */
  declare label: string | undefined
  declare private finalizers: Scopes.FinalizerMap
  declare private key: ScopeKey | undefined
  declare private numbered: number

  constructor(options: ResolvedScope, plan: Strategy, parent?: ManagedScope) {
    const self = this as { -readonly [K in keyof this]: this[K] }
    self[scopeTypeId] = scopeTypeId
    self[closeableTypeId] = closeableTypeId
    self.strategy = plan === "sequential" || plan === 1 ? "sequential" : "parallel"
    this.init(options, plan, parent)
  }

  private init(options: ResolvedScope, plan: Strategy, parent: ManagedScope | undefined): void {
    const self = this as { -readonly [K in keyof this]: this[K] }
    self.options = options
    self.plan = plan
    this.parent = parent
    this.finalizers = new Scopes.FinalizerMap(this)
    this.state = Scopes.openState(this.finalizers)
    this.key = parent && new ScopeKey(() => this)
    this.drive = this.ended = this.label = undefined
    this.numbered = 0
    parent?.finalizers.put(this.key!, (exit) => this.close(exit))
  }

  /** Whether it closes with another scope, at the latest. */
  isWithin(scope: Scope.Scope): boolean {
    return scope === this || (this.parent?.isWithin(scope) ?? false)
  }

  get isForked(): boolean {
    return this.key !== undefined
  }

  /** Whether nothing is in it. */
  get isEmpty(): boolean {
    return this.finalizers.count === 0
  }

  /** What became of it, once its close is over. */
  get closed(): CleanupReport | undefined {
    return this.ended?.report
  }

  get report(): CleanupReport | undefined {
    return this.closed ?? this.drive?.reading()
  }

  // --- what is put into it -------------------------------------------------------------------------------------------

  addFinalizer(finalizer: Scopes.Finalizer): Effect.Effect<void> {
    return Scope.addFinalizerExit(this, finalizer)
  }

  fork(strategy: "sequential" | "parallel"): Effect.Effect<ManagedScope> {
    return Effect.sync(() => {
      const { exit } = this.finalizers
      const child = new ManagedScope(this.options, strategy, exit === undefined ? this : undefined)
      if (exit !== undefined) child.isClosedWith(exit)
      return child
    })
  }

  /** By Effect, which has no name for it. */
  added(finalizer: Scopes.Finalizer): void {
    const fiber = Fibers.fiberAtWork()
    const span = fiber && Fibers.spanOf(fiber)
    this.finalizers.put(new FinalizerKey(++this.numbered, span?._tag === "Span" ? span.name : undefined), finalizer)
  }

  /** A scope that Effect has forked from this one becomes one of ours. */
  forked(plain: Scope.Closeable): void {
    const { exit } = this.finalizers
    const child = Object.setPrototypeOf(plain, ManagedScope.prototype) as ManagedScope
    child.init(this.options, child.strategy, exit === undefined ? this : undefined)
    if (exit !== undefined) child.isClosedWith(exit)
  }

  // --- its end -------------------------------------------------------------------------------------------------------

  /** Effect closes it, and has put a closed state into its place, which is to be there only at the end. */
  closing(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    this.state = Scopes.openState(this.finalizers)
    return this.close(exit)
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return this.closeWith(exit, this.options)
  }

  closeWith(exit: Exit.Exit<unknown, unknown>, options: ResolvedScope): Effect.Effect<void> {
    return Effect.suspend(() => {
      const isOpen = this.finalizers.exit === undefined
      if (isOpen ? this.finalizers.count > 0 : this.drive !== undefined) {
        return Effect.uninterruptible(Fibers.withFiber((fiber) => ScopeClose.close(this, exit, options, fiber)))
      }
      if (isOpen) {
        this.isClosedWith(exit)
        this.detach()
      }
      return Effect.void
    })
  }

  /** Is closed from now on; gives the finalizers in the order in which they were added. */
  takeFinalizers(exit: Exit.Exit<unknown, unknown>): Array<readonly [key: object, finalizer: Scopes.Finalizer]> {
    return this.finalizers.exit === undefined ? this.finalizers.take(exit) : []
  }

  /** Its close is over, or was nothing. */
  private isClosedWith(exit: Exit.Exit<unknown, unknown>): void {
    this.finalizers.exit = exit
    this.state = { _tag: "Closed", exit }
  }

  /** An open parent keeps nothing of a scope that is closed. */
  detach(): void {
    const { exit } = this.finalizers
    if (exit !== undefined) this.isClosedWith(exit)
    if (this.parent !== undefined) Scopes.dropFinalizer(this.parent, this.key!)
    this.parent = undefined
  }
}
