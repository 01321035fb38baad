/** Closed lists of words, each written once: their types, schemas, tables and tests come from here. */

/** From the least to the most urgent. */
export const priorities = ["Low", "Normal", "High", "Critical"] as const

/** Of a registry. */
export const phases = ["Running", "Draining", "Closed"] as const

/** Of a resource that counts as live. */
export const liveStates = ["inUse", "waiting", "cleaning"] as const

export const outcomes = ["cleaned", "recovered", "failed", "abandoned", "disarmed"] as const

export const triggers = [
  "scope",
  "cleanup",
  "cascade",
  "scheduled",
  "background",
  "forced",
  "shutdown",
  "leaked",
  "retried",
  "acquire"
] as const

export const recoveryStrategies = ["Retry", "Fallback", "Fail"] as const
