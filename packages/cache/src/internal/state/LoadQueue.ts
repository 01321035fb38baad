/** Lookups that cannot begin yet, the oldest first. Pure data. */
import type { Load } from "./Load.js"

export class LoadQueue<K, A, E> {
  private readonly lookups = new Set<Load<K, A, E>>()
  /** Of these, such as renew a value that is there: they wait for an older one of their key, and nothing is to go for them. */
  private readonly renewing = new Set<Load<K, A, E>>()

  get size(): number {
    return this.lookups.size
  }

  /** How many wait for room that has to be made. */
  get wanting(): number {
    return this.lookups.size - this.renewing.size
  }

  get first(): Load<K, A, E> | undefined {
    const [first] = this.lookups
    return first
  }

  get renewals(): Iterable<Load<K, A, E>> {
    return this.renewing
  }

  [Symbol.iterator](): Iterator<Load<K, A, E>> {
    return this.lookups[Symbol.iterator]()
  }

  add(loading: Load<K, A, E>): void {
    this.lookups.add(loading)
    if (loading.old !== undefined) this.renewing.add(loading)
  }

  /** What it was to renew is gone. */
  orphaned(loading: Load<K, A, E>): void {
    this.renewing.delete(loading)
  }

  delete(loading: Load<K, A, E>): void {
    this.lookups.delete(loading)
    this.renewing.delete(loading)
  }

  clear(): void {
    this.lookups.clear()
    this.renewing.clear()
  }
}
