/**
 * Under which keys a `ManagedScope` holds its finalizers. A guard's key is its entry. A finalizer with none of these
 * keys was put there by `Effect.forkIn`, past the scope, and ends the fiber that was forked.
 */
import type { Scope } from "effect"
import type { ManagedScope } from "./ManagedScope.js"

/** The key of a finalizer that somebody added. */
export class FinalizerKey {
  constructor(readonly number: number, readonly span: string | undefined) {}
}

/** The key of a finalizer that only closes another `ManagedScope`; it needs no limit and has no record of its own. */
export class ScopeKey {
  /** `take` gives the scope, unless somebody else still holds it. */
  constructor(readonly take: () => ManagedScope | undefined) {}
}

const limited = /* @__PURE__ */ new WeakSet<Scope.Scope.Finalizer>()

/** A finalizer with its own time limit, as a registry's has: in a `ManagedScope` only the deadline is above it. */
export const limitsItself = (finalizer: Scope.Scope.Finalizer): Scope.Scope.Finalizer => {
  limited.add(finalizer)
  return finalizer
}

export const hasLimit = (finalizer: Scope.Scope.Finalizer): boolean => limited.has(finalizer)

/** What a finalizer is called in logs and reports. */
export const nameOf = (scope: ManagedScope, key: object): string => {
  if (!(key instanceof FinalizerKey)) return "forked fiber"
  if (scope.label !== undefined) return key.number === 1 ? scope.label : `${scope.label} #${key.number}`
  return key.span ?? `finalizer #${key.number}`
}
