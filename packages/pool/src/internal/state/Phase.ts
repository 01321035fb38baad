/** What a pool does in each phase of its life. */
import type { DrainWaiters, Line, Phase } from "./Vocabulary.js"

export interface PhaseRules {
  /** New borrowers are let in, and `minSize` is kept. */
  readonly isOpen: boolean
  readonly line: Line
  /** How a snapshot names it. */
  readonly shown: "open" | "draining" | "closed"
}

/** A row for each phase: a new one does not compile before its columns are decided. */
export const rulesOf: { readonly [P in Phase]: PhaseRules } = {
  open: { isOpen: true, line: "all", shown: "open" },
  serving: { isOpen: false, line: "all", shown: "draining" },
  draining: { isOpen: false, line: "validated", shown: "draining" },
  closed: { isOpen: false, line: "none", shown: "closed" }
}

/** The phase that a drain begins with. */
export const drainPhases: { readonly [W in DrainWaiters]: Phase } = { fail: "draining", serve: "serving" }
