/**
 * Walks towards the share of a cache that suits its callers: one step after each sample, in the same direction while the
 * hit rate gets better and back when it gets worse. Steps shrink until the hit rate jumps, which is when what is asked
 * for has changed. As Caffeine's climber for small caches, after "Adaptive Software Cache Management" by Einziger, Eytan, Friedman and
 * Manes. Pure data.
 */

/** The window always has this much of the cache, and the main part a fifth. */
const leastShare = 0.01
const mostShare = 0.8

const firstStep = 0.0625
const decay = 0.98

/** A hit rate that moved by this much starts the search anew. */
const jump = 0.05

export class HillClimber {
  share = leastShare
  private readonly firstStep: number
  private step: number
  private rate = 0

  /** A step of less than `grain`, the share of one entry, would show nothing. */
  constructor(grain = 0) {
    this.firstStep = Math.max(firstStep, grain)
    // Down first: a small window is right most of the time.
    this.step = -this.firstStep
  }

  /** The hit rate since the last step is in: takes the next one. */
  climb(rate: number): void {
    const change = rate - this.rate
    const step = change >= 0 ? this.step : -this.step
    const before = this.share
    this.share = Math.min(mostShare, Math.max(leastShare, before + step))
    this.step = Math.abs(change) >= jump ? Math.sign(step) * this.firstStep : step * decay
    // At an end there is one way left; else a hit rate that never changes would keep it there.
    if (this.share === before) this.step = -this.step
    this.rate = rate
  }
}
