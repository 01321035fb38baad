/** Closed lists of words, each written once: their types, schemas, tables and tests come from here. */

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
