/**
 * Instants at which something is due, the earliest first: a binary heap whose elements know their place, so that what is
 * no longer due is removed at once and nothing is kept for it. Pure data: it neither reads a clock nor sets a timer.
 */
export interface Deadline {
  /** Place in the heap; -1 while it is in none. */
  index: number
  at: number
  onDue(): void
}

/** Something due once, for owners that are not a `Deadline` themselves. */
export const make = (onDue: () => void): Deadline => ({ index: -1, at: Infinity, onDue })

export class DeadlineHeap {
  private readonly heap: Array<Deadline> = []

  get size(): number {
    return this.heap.length
  }

  get earliest(): Deadline | undefined {
    return this.heap[0]
  }

  /** Puts the deadline at an instant, or moves it there. */
  set(deadline: Deadline, at: number): void {
    deadline.at = at
    if (deadline.index === -1) {
      deadline.index = this.heap.length
      this.heap.push(deadline)
    }
    this.down(this.up(deadline.index))
  }

  remove(deadline: Deadline): void {
    const index = deadline.index
    if (index === -1) return
    deadline.index = -1
    const last = this.heap.pop()!
    if (last !== deadline) {
      this.place(last, index)
      this.down(this.up(index))
    }
  }

  private place(deadline: Deadline, index: number): void {
    this.heap[index] = deadline
    deadline.index = index
  }

  private up(index: number): number {
    const deadline = this.heap[index]!
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (this.heap[parent]!.at <= deadline.at) break
      this.place(this.heap[parent]!, index)
      index = parent
    }
    this.place(deadline, index)
    return index
  }

  private down(index: number): void {
    const deadline = this.heap[index]!
    for (;;) {
      let child = 2 * index + 1
      if (child >= this.heap.length) break
      if (child + 1 < this.heap.length && this.heap[child + 1]!.at < this.heap[child]!.at) child++
      if (this.heap[child]!.at >= deadline.at) break
      this.place(this.heap[child]!, index)
      index = child
    }
    this.place(deadline, index)
  }
}
