/** Lookups that cannot begin yet, the oldest first. Pure data. */
import type { Load } from "./Load.js"

export class LoadQueue<K, A, E> {
  private readonly loads = new Set<Load<K, A, E>>()
  /** Of these, refreshes: they wait for an older value of their key, and nothing is evicted for them. */
  private readonly renewing = new Set<Load<K, A, E>>()

  get size(): number {
    return this.loads.size
  }

  /** How many wait for room that has to be made. */
  get wanting(): number {
    return this.loads.size - this.renewing.size
  }

  get first(): Load<K, A, E> | undefined {
    const [first] = this.loads
    return first
  }

  get renewals(): Iterable<Load<K, A, E>> {
    return this.renewing
  }

  [Symbol.iterator](): Iterator<Load<K, A, E>> {
    return this.loads[Symbol.iterator]()
  }

  add(load: Load<K, A, E>): void {
    this.loads.add(load)
    if (load.old !== undefined) this.renewing.add(load)
  }

  /** The value that it was meant to renew is gone. */
  orphaned(load: Load<K, A, E>): void {
    this.renewing.delete(load)
  }

  delete(load: Load<K, A, E>): void {
    this.loads.delete(load)
    this.renewing.delete(load)
  }

  clear(): void {
    this.loads.clear()
    this.renewing.clear()
  }
}
