/**
 * Cleanups that failed for good, the newest `capacity` of them. The resource itself is kept for five minutes, so that its
 * release can be tried again; after that only the record is. No timer is held for that: a value that is over its time is dropped at the
 * next look or the next failure.
 */
import type { CleanupRecord } from "../../CleanupReport.js"
import type { ResourceId } from "../../ResourceId.js"
import type { CleanupRun } from "../cleanup/CleanupRun.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import type { Timers } from "../kernel/Timers.js"

const keepValueMillis = 5 * 60_000

export interface Letter {
  /** Undefined once its value was dropped. */
  entry: CleanupTarget | undefined
  record: CleanupRecord
  failedAt: number
  keptUntil: number
  finishedLate: boolean
  readonly acquireStack: string | undefined
}

export class DeadLetters {
  private readonly letters = new Map<ResourceId, Letter>()

  constructor(private readonly capacity: number, private readonly timers: Timers) {}

  get size(): number {
    return this.letters.size
  }

  has(id: ResourceId): boolean {
    return this.letters.has(id)
  }

  private dropValue(letter: Letter): void {
    // A letter that is being retried needs its value until the retry has ended.
    if (letter.entry === undefined || letter.entry.run?.isDone === false || letter.entry.request !== undefined) return
    letter.entry.value = undefined
    letter.entry = undefined
  }

  private prune(): void {
    const now = this.timers.now()
    for (const letter of this.letters.values()) {
      if (letter.keptUntil > now) break
      this.dropValue(letter)
    }
  }

  add(entry: CleanupTarget, run: CleanupRun, failedAt: number): void {
    this.prune()
    // An abandoned cleanup may still run: it is never tried again, so its value is not kept.
    if (run.outcome === "abandoned" || this.capacity === 0) entry.value = undefined
    if (this.capacity === 0) return
    if (this.letters.size >= this.capacity) this.drop(this.letters.keys().next().value!)
    this.letters.set(entry.id, {
      entry,
      record: run.record(),
      failedAt,
      keptUntil: this.timers.now() + keepValueMillis,
      finishedLate: false,
      acquireStack: entry.stack
    })
  }

  failedAgain(entry: CleanupTarget, run: CleanupRun, failedAt: number): void {
    const letter = this.letters.get(entry.id)
    if (run.outcome === "abandoned" || letter === undefined) entry.value = undefined
    if (letter === undefined) return
    letter.record = run.record()
    letter.failedAt = failedAt
  }

  finishedLate(entry: CleanupTarget): void {
    const letter = this.letters.get(entry.id)
    if (letter !== undefined) letter.finishedLate = true
  }

  get(id: ResourceId): Letter | undefined {
    this.prune()
    return this.letters.get(id)
  }

  drop(id: ResourceId): boolean {
    const letter = this.letters.get(id)
    if (letter === undefined) return false
    this.letters.delete(id)
    this.dropValue(letter)
    return true
  }

  list(): ReadonlyArray<Letter> {
    this.prune()
    return [...this.letters.values()]
  }
}
