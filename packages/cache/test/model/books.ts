/** What the books of a program say of its values and callers. */
import { UserFunction } from "@patinox/core/kernel"
import { Untellable } from "@patinox/vitest"
import { Effect } from "effect"
import type { Client } from "../../../../scripts/testing/world.js"
import type { Command } from "./program.js"

/** A value, from the beginning of its lookup on. */
export class Made {
  state: "coming" | "made" | "failed" = "coming"
  users = 0
  /** Its listener runs since then. */
  heardSince: number | undefined = undefined
  removals = 0
  releasedAt: number | undefined = undefined
  isBeingReleased = false
  isReleased = false
  isScopeOpen = false
  /** Given by hand, it has no scope to be released by. */
  hasNoRelease = false
  /** The registry may take it from its users. */
  mayBeTaken = false
  /** It was being looked up as there was an invalidation: nobody who asks afterwards gets it. */
  lastCaller = Infinity
  createdAt = 0
  /** It was set again as the value of its key, and may be as new. */
  mayBeRenewed = false
  timeToLive = Infinity

  constructor(
    readonly number: number,
    readonly key: string,
    /** Of its key: it rises when what was there is not for those who ask afterwards. */
    readonly epoch: number,
    readonly way: "lookup" | "refresh" | "set",
    /** What was there to be read when its lookup began. */
    readonly version = 0
  ) {}

  get name(): string {
    return `${this.key}${this.number}`
  }
}

export interface Caller extends Client {
  readonly command: Command & { readonly _tag: "Ask" }
  readonly epoch: number
  /** What there was to be read. */
  readonly version: number
}

/** What a use ends with, and how its callers see that. */
export const outcomes = { succeeds: undefined, fails: "harmless", dies: "bug" }

export const endingOf = (outcome: keyof typeof outcomes): Effect.Effect<void, string> =>
  outcome === "fails" ? Effect.fail(outcomes.fails) : outcome === "dies" ? Effect.die(outcomes.dies) : Effect.void

export const isError = (value: unknown): boolean => UserFunction.call(() => value instanceof Error, () => false)
export const isUntellable = (value: unknown): boolean =>
  Untellable.isUntellable(value) || typeof value === "symbol" || typeof value === "bigint"
