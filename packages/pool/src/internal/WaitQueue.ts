/**
 * Borrowers that wait: first asked, first served within each band of urgency, the most urgent band first. Joining,
 * leaving and being served cost the same however many wait. Pure data.
 */
export interface Waiting {
  /** 0 (low) to 3 (critical). */
  readonly band: number
  /** The order of asking. */
  readonly ticket: number
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

  /** To the end of its band; who had been served already takes its place again, which is near the front. */
  join(waiter: W): void {
    const band = this.lists[waiter.band]!
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
