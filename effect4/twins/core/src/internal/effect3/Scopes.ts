/** Scopes of Effect 4 from the inside: whose one is, whether it is open, and a finalizer put into it or taken out by its key. */
import { Effect, type Exit, Fiber, Scope } from "effect"
import type { CurrentFiber, FiberInside } from "./Fibers.js"
import { service, serviceOrUndefined } from "./Refs.js"

export type Finalizer = (exit: Exit.Exit<any, any>) => Effect.Effect<unknown>

/** A scope's state in Effect's own shape, as Effect writes straight into it. */
export type OwnScopeState = Scope.Scope["state"]

/** Who owns a map of finalizers: what it does with those that Effect puts there, and what closes it. */
export interface FinalizerOwner {
  /** Somebody adds a finalizer, and knows no name for it. */
  readonly added: (finalizer: Finalizer) => void
  /** A scope was forked, and must become of the owner's kind; a closed scope, where the owner is not open. */
  readonly forked: (child: Scope.Closeable) => void
  /** Effect closes the scope, and has put a closed state into its place. */
  readonly closing: Finalizer
}

/**
 * Where a scope of another kind keeps its finalizers, in the place where Effect puts them. It says that it holds one, so
 * that Effect never takes it for empty, and that this one is the close of its owner: so Effect's own close calls that. It
 * stays while the close goes on, as what has a closed state is over for Effect: a second close must wait. What is added
 * meanwhile is treated as in a closed scope.
 */
export class FinalizerMap extends Map<object, Finalizer> {
  /** What the scope is closed with, from the beginning of its close on. */
  exit: Exit.Exit<unknown, unknown> | undefined

  constructor(private readonly owner: FinalizerOwner) {
    super()
  }

  /** How many there are. */
  get count(): number {
    return super.size
  }

  override get size(): number {
    return 1
  }

  override *values(): MapIterator<Finalizer> {
    yield (exit) => this.owner.closing(exit)
  }

  put(key: object, finalizer: Finalizer): void {
    super.set(key, finalizer)
  }

  override set(key: object, finalizer: Finalizer): this {
    const { exit } = this
    if (isScope(key)) this.owner.forked(key)
    else if (exit !== undefined) addToClosed(key, finalizer, exit)
    else if (Fiber.isFiber(key)) super.set(key, finalizer)
    else this.owner.added(finalizer)
    return this
  }

  // A scope that was forked is taken out when its close is over, and not when it begins.
  override delete(key: object): boolean {
    return !isScope(key) && super.delete(key)
  }

  /** All of them, in the order in which they were added; none is left. */
  take(exit: Exit.Exit<unknown, unknown>): Array<readonly [key: object, finalizer: Finalizer]> {
    this.exit = exit
    const all = [...super.entries()]
    super.clear()
    return all
  }
}

const isScope = (key: object): key is Scope.Closeable => "~effect/Scope" in key

/** A forked fiber is interrupted, any other finalizer run by who adds it, in what it does next. */
const addToClosed = (key: object, finalizer: Finalizer, exit: Exit.Exit<unknown, unknown>): void => {
  const current = Fiber.getCurrent() as FiberInside | undefined
  if (Fiber.isFiber(key)) key.interruptUnsafe(current?.id)
  else if (current === undefined) Effect.runFork(finalizer(exit))
  else current._stack.push(Effect.onExit(Effect.void, () => finalizer(exit) as Effect.Effect<void>))
}

/** The state of an open scope whose finalizers are in such a map. */
export const openState = (finalizers: FinalizerMap): OwnScopeState => ({
  _tag: "Open",
  finalizerKey: undefined,
  finalizer: undefined,
  finalizers: finalizers as Map<object, any>
})

const ownMap = (state: OwnScopeState | undefined): FinalizerMap | undefined =>
  state?._tag === "Open" && state.finalizers instanceof FinalizerMap ? state.finalizers : undefined

/** Whether nothing has begun to close a scope. */
export const isOpen = (scope: Scope.Scope): boolean => {
  const { state } = scope as Partial<Scope.Scope>
  return state !== undefined && state._tag !== "Closed" && ownMap(state)?.exit === undefined
}

/** The exit that a scope was closed with, or `undefined` while it is open. */
export const closedExit = (scope: Scope.Scope): Exit.Exit<unknown, unknown> | undefined => {
  const { state } = scope as Partial<Scope.Scope>
  return state?._tag === "Closed" ? state.exit : ownMap(state)?.exit
}

/** Puts a finalizer into an open scope under a key of the caller's, as `Effect.forkIn` does. */
export const putFinalizer = (scope: Scope.Scope, key: object, finalizer: Finalizer): void => {
  if (!isOpen(scope)) return
  const { state } = scope
  const own = ownMap(state)
  const finalize = finalizer as (exit: Exit.Exit<any, any>) => Effect.Effect<void>
  if (own !== undefined) own.put(key, finalizer)
  else if (state._tag === "Empty") {
    scope.state = { _tag: "Open", finalizerKey: key, finalizer: finalize, finalizers: undefined }
  } else if (state._tag === "Open") {
    if (state.finalizers === undefined) {
      state.finalizers = new Map([[state.finalizerKey!, state.finalizer!]])
      state.finalizerKey = state.finalizer = undefined
    }
    state.finalizers.set(key, finalize)
  }
}

/** Takes a finalizer out again, so that an open scope keeps nothing of a resource that is gone. */
export const dropFinalizer = (scope: Scope.Scope, key: object): Finalizer | undefined => {
  const { state } = scope
  if (state._tag !== "Open") return undefined
  if (state.finalizerKey === key) {
    const { finalizer } = state
    scope.state = { _tag: "Empty" }
    return finalizer
  }
  const finalizer = state.finalizers?.get(key)
  state.finalizers?.delete(key)
  if (state.finalizers?.size === 0) scope.state = { _tag: "Empty" }
  return finalizer
}

/** The scope at hand, as the fiber's holder knows it to be there. */
export const scopeOf = (fiber: CurrentFiber): Scope.Scope => service(fiber, Scope.Scope)

export const scopeOrUndefined = (fiber: CurrentFiber): Scope.Scope | undefined => serviceOrUndefined(fiber, Scope.Scope)

/** What takes in a finalizer, without an effect. */
export interface Finalizers {
  readonly set: (key: object, finalizer: Finalizer) => unknown
}

/** Where an open scope of Effect's own keeps its finalizers, to add one without an effect; undefined for any other. */
export const finalizersOf = (scope: Scope.Scope): Finalizers | undefined => {
  // Effect's own is a plain object.
  if (Object.getPrototypeOf(scope) !== Object.prototype || !isOpen(scope)) return undefined
  return { set: (key, finalizer) => putFinalizer(scope, key, finalizer) }
}
