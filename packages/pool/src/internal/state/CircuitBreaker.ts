/**
 * Whether an item may be created now. After a failure there is a pause that doubles with every further one; after
 * `failFastAfter` in a row the circuit is open: borrowers fail at once, and one attempt at a time, when its pause
 * is over, finds out whether it can close again. Pure data: instants and randomness are given.
 */
export interface CircuitLimits {
  /** How many failures in a row open it; may be infinite. */
  readonly failFastAfter: number
  /** The first pause, and the longest, in milliseconds. */
  readonly backoffFrom: number
  readonly backoffTo: number
}

/** The pause after so many failures in a row: doubled, capped, and shortened by up to half, so that pools spread out. */
export const pauseAfter = (failures: number, random: number, { backoffFrom, backoffTo }: CircuitLimits): number =>
  Math.min(backoffTo, backoffFrom * 2 ** Math.min(failures - 1, 52)) * (1 - random / 2)

export class CircuitBreaker {
  /** In a row. */
  failures = 0
  /** Nothing is created before this instant. */
  nextAt = -Infinity
  /** How many there were before the last success, and when that was. */
  private failuresBefore = 0
  private succeededAt = -Infinity

  constructor(readonly limits: CircuitLimits) {}

  get isOpen(): boolean {
    return this.failures >= this.limits.failFastAfter
  }

  allows(now: number, creating: number): boolean {
    return now >= this.nextAt && (!this.isOpen || creating === 0)
  }

  failed(now: number, random: number): void {
    this.failures++
    this.nextAt = now + pauseAfter(this.failures, random, this.limits)
  }

  succeeded(now: number): void {
    this.failuresBefore = this.failures
    this.succeededAt = now
    this.failures = 0
    this.nextAt = -Infinity
  }

  /** What was created a moment ago was no good: if that was the last success, it was none. */
  refuted(now: number, random: number): void {
    if (now < this.succeededAt + this.limits.backoffTo) this.failures = Math.max(this.failures, this.failuresBefore)
    this.failed(now, random)
  }
}
