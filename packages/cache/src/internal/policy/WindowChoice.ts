/**
 * Which window is best for the callers of late. Caches with the windows in question (`Miniatures`) are asked for the
 * same keys at the same time, so what differs between their hits is the window alone, and not what is asked for just
 * then: a hill climber, which compares the hits of one window now with those of another before, cannot tell these.
 *
 * A change takes a lead that is no chance, and that pays for the change.
 *
 * A real cache has another history than its miniature, and may stay behind it: what its main part has from before can be
 * in the way for long. LRU has no history beyond one filling. So where the real cache loses more to the miniature of LRU
 * than a change costs, it is an LRU, and the others have to lead by more from then on. That is also what happens where hashes
 * do not tell keys apart: a user's `Hash` with few values, or keys that were made to collide. Pure data.
 */

/** Of the cache. The first is that of a frequency cache, which is right most of the time; the last is LRU. */
export const windowShares: ReadonlyArray<number> = [0.01, 0.1, 0.3, 0.6, 1]

/** Hits count for half after so many lookups per place, or so many at least. */
const memory = 20
const leastMemory = 500

/** How many lookups apart it looks for who leads; a power of two. */
const between = 32

/** A lead is by so many standard deviations, if each lookup that tells two windows apart were a coin toss. */
const certainty = 2

/** What a lead has to be beyond that, in hits per place: for any change, and for each share that the window grows or shrinks by. */
const anyChange = 0.2
const growth = 0.1
const shrinkage = 0.25

/** What the real cache may lack while it follows a change, in hits per place. */
const refill = 0.5

/** After a retreat the other windows have to lead LRU by so much per lookup at least; it fades as hits are forgotten. */
const leastDoubt = 0.01
const fading = 0.9

export class WindowChoice {
  private readonly hits: Float64Array
  /** Of these lookups only one of both was a hit: this window's, or that of the one in use. */
  private readonly differing: Float64Array
  private readonly all: number
  private readonly remembered: number
  private seen = 0
  /** Since the last change: lookups, and hits that the miniature of the window in use had beyond those of the real cache. */
  private since = 0
  private surplus = 0
  /** Hits that LRU had beyond those of the real cache, of late. */
  private lost = 0
  private doubt = 0

  /** For caches of so many places; `current` is the index of the window that is in use. */
  constructor(
    private readonly places: number,
    public current = 0,
    private readonly shares: ReadonlyArray<number> = windowShares
  ) {
    this.hits = new Float64Array(shares.length)
    this.differing = new Float64Array(shares.length)
    this.all = 2 ** shares.length - 1
    this.remembered = Math.max(leastMemory, memory * places)
  }

  get share(): number {
    return this.shares[this.current]
  }

  private get lru(): number {
    return this.shares.length - 1
  }

  /**
   * A lookup was a hit with the windows whose bits are set, and one of the real cache or not. Whether another window is
   * in use from now on.
   */
  saw(hits: number, isHit: boolean): boolean {
    if (hits !== 0 && hits !== this.all) this.count(hits)
    const real = isHit ? 1 : 0
    this.lost = Math.max(0, this.lost + ((hits >> this.lru) & 1) - real)
    this.surplus += ((hits >> this.current) & 1) - real
    this.since++
    if ((++this.seen & (between - 1)) !== 0) return false
    const before = this.current
    this.choose()
    if (this.current === before) this.retreat()
    if (this.seen >= this.remembered) this.forget()
    return this.current !== before
  }

  private count(hits: number): void {
    const own = (hits >> this.current) & 1
    for (let i = 0; i < this.shares.length; i++) {
      const hit = (hits >> i) & 1
      this.hits[i] += hit
      if (hit !== own) this.differing[i]++
    }
  }

  private choose(): void {
    let best = this.current
    let most = this.hits[best]
    for (let i = 0; i < this.shares.length; i++) {
      if (this.hits[i] <= most || this.hits[i] - this.hits[this.current] <= this.neededLead(i)) continue
      best = i
      most = this.hits[i]
    }
    if (best !== this.current) this.change(best)
  }

  /** The real cache is an LRU where that would have had more hits, though the window in use should have. */
  private retreat(): void {
    if (this.current === this.lru || this.lost <= this.neededLead(this.lru) + refill * this.places) return
    this.doubt = Math.min(1, Math.max(2 * this.doubt, this.surplus / this.since, leastDoubt))
    this.change(this.lru)
  }

  private change(to: number): void {
    // How much the others differ from the new one nobody has counted; as much as from the old one it may be.
    this.differing.fill(this.differing[to])
    this.current = to
    this.since = this.surplus = this.lost = 0
  }

  private neededLead(of: number): number {
    const change = this.shares[of] - this.shares[this.current]
    const cost = anyChange + (change > 0 ? growth * change : -shrinkage * change)
    const doubted = this.current === this.lru ? this.doubt * this.seen : 0
    return certainty * Math.sqrt(this.differing[of]) + cost * this.places + doubted
  }

  private forget(): void {
    for (let i = 0; i < this.shares.length; i++) {
      this.hits[i] /= 2
      this.differing[i] /= 2
    }
    this.seen >>= 1
    this.doubt *= fading
  }
}
