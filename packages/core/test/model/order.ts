/** P2 and P4 at the instant a release is first called: whether its turn had come, and not passed. */
import type { Program } from "@patinox/vitest"
import { type BatchModel, forceMargin, type GuardModel, hasEnded, isLive, Violation } from "./state.js"

type Guards = Iterable<GuardModel>

/** What a close of many waits for has started shortly before its deadline, whatever it had to wait for. */
export const checkMargin = (
  guard: GuardModel,
  batches: ReadonlyArray<BatchModel>,
  now: number,
  { shutdownTimeoutMillis }: Program.Program
): void => {
  for (const { guards, kind, startedAt } of batches) {
    const latest = startedAt + shutdownTimeoutMillis - forceMargin(shutdownTimeoutMillis)
    if (guards.has(guard) && guard.registeredAt <= latest && now > latest + 1) {
      throw new Violation("P2", `${guard.name} starts ${now - startedAt} ms into a ${kind} cleanup`)
    }
  }
}

/** Dependents before what they depend on. */
export const checkDependents = (guard: GuardModel, all: Guards): void => {
  for (const other of all) {
    if (other.dependsOn === guard && isLive(other)) {
      throw new Violation("P4", `${guard.name} starts before ${other.name}, which depends on it, has ended`)
    }
  }
}

/** Last in, first out, in a scope that is closing. */
export const checkScopeOrder = (guard: GuardModel): void => {
  const { scope } = guard
  if (scope === undefined || scope.parallel || scope.phase !== "closing" || !scope.members.includes(guard)) return
  for (const other of scope.members) {
    if (other.scope === scope && other.bound > guard.bound && other.plan.close === "wait" && !hasEnded(other)) {
      throw new Violation("P4", `${guard.name} starts before ${other.name}, which came into ${scope.name} after it`)
    }
  }
}

/** Nothing more urgent waits in the registry; `really` is the registry's word for where a guard stands this instant. */
export const checkQueueOrder = (
  guard: GuardModel,
  all: Guards,
  isRetry: boolean,
  really: (guard: GuardModel) => string | undefined
): void => {
  for (const other of all) {
    if (other === guard || other.state !== "waiting") continue
    const isMoreUrgent = other.band > guard.band ||
      (!isRetry && other.band === guard.band && other.sequence < guard.sequence)
    if (isMoreUrgent && really(other) === "waiting") {
      throw new Violation("P4", `${guard.name} starts while ${other.name} waits, which is more urgent`)
    }
  }
}
