/**
 * Borrowers that wait: first asked, first served within each band of urgency, the most urgent band first. A waiter
 * that has waited for long rises from band to band, so that all are served in the end. Joining, leaving and being served
 * cost the same however many wait. Pure data.
 */
export interface Waiting {
  /** 0 (low) to 3 (critical). */
  readonly band: number
  /** The order of asking. */
  readonly ticket: number
  /** When it asked, and how long it waits at most, in milliseconds. */
  readonly since: number
  readonly limit: number
  previous: Waiting | undefined
  next: Waiting | undefined
  isWaiting: boolean
}

interface Band {
  first: Waiting | undefined
  last: Waiting | undefined
}

const bands = 4

/** In milliseconds; as a share of the time that a borrower waits at most. */
const longestWait = 40_000
const share = 1 / 8

/** As urgent as those of which band: one higher for each eighth of its time that it has waited. */
const urgency = ({ band, limit, since }: Waiting, now: number): number =>
  Math.min(bands - 1, band + Math.floor((now - since) / (Math.min(limit, longestWait) * share)))

export class WaitQueue<W extends Waiting> {
  size = 0
  /** Bands that are not empty. */
  private occupied = 0
  private readonly lists: ReadonlyArray<Band> = Array.from({ length: bands }, () => ({
    first: undefined,
    last: undefined
  }))

  /** To the end of its band; a waiter that had been served already takes its place again, near the front. */
  join(waiter: W): void {
    const band = this.lists[waiter.band]!
    if (band.first === undefined) this.occupied++
    let next = band.first
    if (band.last === undefined || band.last.ticket < waiter.ticket) next = undefined
    else while (next !== undefined && next.ticket < waiter.ticket) next = next.next
    waiter.next = next
    waiter.previous = next === undefined ? band.last : next.previous
    if (waiter.previous === undefined) band.first = waiter
    else waiter.previous.next = waiter
    if (next === undefined) band.last = waiter
    else next.previous = waiter
    waiter.isWaiting = true
    this.size++
  }

  leave(waiter: W): void {
    if (!waiter.isWaiting) return
    const band = this.lists[waiter.band]!
    waiter.isWaiting = false
    this.size--
    if (waiter.previous === undefined) band.first = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === undefined) band.last = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.previous = waiter.next = undefined
    if (band.first === undefined) this.occupied--
  }

  /** Takes out the waiter that is served next: the most urgent by now, of those as urgent the first that asked. */
  take(now: number): W | undefined {
    if (this.size === 0) return undefined
    let next: Waiting | undefined = undefined
    let highest = -1
    for (let band = bands - 1; band >= 0; band--) {
      const first: Waiting | undefined = this.lists[band]!.first
      if (first === undefined) continue
      // Where the other bands are empty there is nothing to compare.
      const level = this.occupied === 1 ? 0 : urgency(first, now)
      if (level < highest || (level === highest && first.ticket > next!.ticket)) continue
      next = first
      highest = level
    }
    this.leave(next as unknown as W)
    return next as unknown as W
  }

  /** The first of the most urgent that is as wanted. */
  find(isWanted: (waiter: W) => boolean): W | undefined {
    for (let band = bands - 1; band >= 0; band--) {
      for (let waiter = this.lists[band]!.first; waiter !== undefined; waiter = waiter.next) {
        if (isWanted(waiter as W)) return waiter as W
      }
    }
    return undefined
  }
}
