/**
 * Borrowers that wait: first in, first out within each band of urgency, the most urgent band first. Joining, leaving and
 * being served cost the same however many wait. Pure data.
 */
export interface Waiting {
  /** 0 (low) to 3 (critical). */
  readonly band: number
  previous: Waiting | undefined
  next: Waiting | undefined
  isWaiting: boolean
}

interface Band {
  first: Waiting | undefined
  last: Waiting | undefined
}

const bands = 4

export class WaitQueue<W extends Waiting> {
  size = 0
  private readonly lists: ReadonlyArray<Band> = Array.from({ length: bands }, () => ({
    first: undefined,
    last: undefined
  }))

  /** To the end of its band, or to its front: who had been served already does not lose its place. */
  join(waiter: W, inFront = false): void {
    const band = this.lists[waiter.band]!
    waiter.isWaiting = true
    this.size++
    if (inFront) {
      waiter.previous = undefined
      waiter.next = band.first
      if (band.first === undefined) band.last = waiter
      else band.first.previous = waiter
      band.first = waiter
    } else {
      waiter.next = undefined
      waiter.previous = band.last
      if (band.last === undefined) band.first = waiter
      else band.last.next = waiter
      band.last = waiter
    }
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
  }

  /** Who is to be served next, taken out. */
  take(): W | undefined {
    if (this.size === 0) return undefined
    for (let band = bands - 1; band >= 0; band--) {
      const first = this.lists[band]!.first
      if (first === undefined) continue
      this.leave(first as W)
      return first as W
    }
    return undefined
  }
}
