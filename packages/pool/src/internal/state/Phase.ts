/** The phases of a pool's life, and what a pool does in each. Its end has up to three: serving or draining, then closed. */

export const phases = ["open", "serving", "draining", "closed"] as const

export type Phase = typeof phases[number]

export interface PhaseRules {
  /** New borrowers are let in, and `minSize` is kept. */
  readonly isOpen: boolean
  /** Which of the borrowers in line are still served; `validated`: those for whom an item is being validated. */
  readonly line: "all" | "validated" | "none"
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
