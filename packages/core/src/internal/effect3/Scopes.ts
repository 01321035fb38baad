/** Scopes of Effect 3 from the inside: whose one is, whether it is open, and a finalizer put into it or taken out by its key. */
import { Effect, type Exit, Scope } from "effect"
import type { CurrentFiber } from "./Fibers.js"
import { service, serviceOrUndefined } from "./Refs.js"

export type FinalizerMap = Map<object, Scope.Scope.Finalizer>

interface ScopeState {
  readonly state: { readonly _tag: "Open"; readonly finalizers: FinalizerMap } | {
    readonly _tag: "Closed"
    readonly exit: Exit.Exit<unknown, unknown>
  }
}

/** Whether nothing has begun to close a scope; how its state says so is up to the major. */
export const isOpen = (scope: Scope.Scope): boolean => (scope as unknown as Partial<ScopeState>).state?._tag === "Open"

/** The exit that a scope was closed with, or `undefined` while it is open. */
export const closedExit = (scope: Scope.Scope): Exit.Exit<unknown, unknown> | undefined => {
  const { state } = scope as unknown as Partial<ScopeState>
  return state?._tag === "Closed" ? state.exit : undefined
}

/** Puts a finalizer into an open scope under a key of the caller's, as `Effect.forkIn` does. */
export const putFinalizer = (scope: Scope.Scope, key: object, finalizer: Scope.Scope.Finalizer): void => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag === "Open") state.finalizers.set(key, finalizer)
}

/** Takes a finalizer out again, so that an open scope keeps nothing of a resource that is gone. */
export const dropFinalizer = (scope: Scope.Scope, key: object): Scope.Scope.Finalizer | undefined => {
  const state = (scope as unknown as ScopeState).state
  if (state._tag !== "Open") return undefined
  const finalizer = state.finalizers.get(key)
  state.finalizers.delete(key)
  return finalizer
}

/** A scope's state in Effect's own shape, as `Effect.forkIn` writes straight into it. */
export type OwnScopeState = ScopeState["state"]

export const openState = (): OwnScopeState => ({ _tag: "Open", finalizers: new Map() })

/** The scope at hand, as the fiber's holder knows it to be there. */
export const scopeOf = (fiber: CurrentFiber): Scope.Scope => service(fiber, Scope.Scope)

export const scopeOrUndefined = (fiber: CurrentFiber): Scope.Scope | undefined => serviceOrUndefined(fiber, Scope.Scope)

let plainScope: unknown

/** Where an open scope of Effect's own keeps its finalizers, to add one without an effect; undefined for any other. */
export const finalizersOf = (scope: Scope.Scope): FinalizerMap | undefined => {
  plainScope ??= Object.getPrototypeOf(Effect.runSync(Scope.make()))
  if (Object.getPrototypeOf(scope) !== plainScope) return undefined
  const { state } = scope as unknown as Partial<ScopeState>
  return state?._tag === "Open" && state.finalizers instanceof Map ? state.finalizers : undefined
}
