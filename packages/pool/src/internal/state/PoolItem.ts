/** What decisions need to know of an item. */
import type { ItemStatus } from "./Vocabulary.js"

/** What speaks against an item, and what is being done about it: bits, so that an item needs one field for them. */
export const Doubt = {
  /** Its last use failed or was interrupted, and it has not been validated since. */
  suspect: 1,
  /** It was invalidated while in use, and goes at its return. */
  condemned: 2,
  /** It was created for a borrower, who does not have it yet. */
  fresh: 4,
  /** It is being validated; the answer is overdue. */
  checking: 8,
  overdue: 16,
  /** It is being kept alive. */
  keeping: 32
} as const

/** An item, as far as decisions go. Instants are milliseconds of a clock that never jumps. */
export interface PoolItem {
  status: ItemStatus
  /** Its release runs or has run, though it may still be in use. */
  isReleased: boolean
  readonly expiresAt: number
  uses: number
  /** Created, returned, or checked last. */
  usedAt: number
  idleSince: number
  /** Of the bits of `Doubt`. */
  doubts: number
}
