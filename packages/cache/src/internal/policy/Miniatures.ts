/**
 * Small caches without values, one for each window in question, that are asked for what the real one is asked for: all
 * of the same size, and each as W-TinyLFU with its window would do. Of a large cache they see a sample of the keys,
 * always the same ones, and are smaller to the same degree: the share of their hits is then about that of the whole.
 *
 * After "Cache Modeling and Optimization using Miniature Simulations" by Waldspurger, Saemundsson, Ahmad and Park,
 * which "Adaptive Software Cache Management" by Einziger, Eytan, Friedman and Manes tries for the window. How often a
 * key was asked for does not depend on the window, so they share the sketch of the real cache. Pure data.
 */
import type { FrequencySketch } from "./FrequencySketch.js"
import type { Bounds } from "./PolicyState.js"

/** Of what is not in the window, so much may be protected. */
export const protectedShare = 0.8

/** Segments, and the list of each; a key in none is not in the cache. */
const window = 1
const probation = 2
const main = 3

const none = -1
const firstRoom = 16

/** What all of them know of the keys that at least one has. A key is a number from 0 on, which others get after it. */
class Keys {
  hashes = new Int32Array(firstRoom)
  weights = new Float64Array(firstRoom)
  private readonly numbers = new Map<number, number>()
  private holders = new Uint8Array(firstRoom)
  private readonly free: Array<number> = []
  private used = 0

  get room(): number {
    return this.holders.length
  }

  /** How many keys there are. */
  get size(): number {
    return this.numbers.size
  }

  find(hash: number): number {
    return this.numbers.get(hash) ?? none
  }

  add(hash: number, weight: number): number {
    const key = this.free.pop() ?? this.used++
    if (key === this.room) this.grow()
    this.numbers.set(hash, key)
    this.hashes[key] = hash
    this.weights[key] = weight
    return key
  }

  hold(key: number): void {
    this.holders[key]++
  }

  drop(key: number): void {
    if (--this.holders[key] > 0) return
    this.numbers.delete(this.hashes[key])
    this.free.push(key)
  }

  private grow(): void {
    const { hashes, holders, weights } = this
    this.hashes = new Int32Array(2 * this.room)
    this.hashes.set(hashes)
    this.weights = new Float64Array(2 * this.room)
    this.weights.set(weights)
    this.holders = new Uint8Array(2 * this.room)
    this.holders.set(holders)
  }
}

class Miniature {
  /** By segment; 0 is none. */
  readonly sizes = [0, 0, 0, 0]
  readonly loads = [0, 0, 0, 0]
  private segments = new Uint8Array(0)
  /**
   * By place: the one before and the one after. The first four are the ends of the lists, the others those of the keys.
   */
  private links: Uint16Array | Uint32Array = new Uint16Array(0)
  private readonly windowEntries: number
  private readonly windowWeight: number
  private readonly mainEntries: number
  private readonly mainWeight: number

  constructor(
    share: number,
    private readonly bounds: Bounds,
    private readonly keys: Keys,
    private readonly sketch: FrequencySketch
  ) {
    const { maxEntries, maxWeight } = bounds
    this.windowEntries = Math.max(1, Math.round(maxEntries * share))
    this.windowWeight = maxWeight * share
    this.mainEntries = maxEntries === Infinity
      ? Infinity
      : Math.floor((maxEntries - this.windowEntries) * protectedShare)
    this.mainWeight = maxWeight === Infinity ? Infinity : (maxWeight - this.windowWeight) * protectedShare
    this.makeRoom()
    for (let segment = window; segment <= main; segment++) {
      this.links[2 * segment] = this.links[2 * segment + 1] = segment
    }
  }

  /** For as many keys as are known by now. */
  makeRoom(): void {
    const { links, segments } = this
    this.segments = new Uint8Array(this.keys.room)
    this.segments.set(segments)
    const places = this.keys.room + 4
    this.links = places > 2 ** 16 ? new Uint32Array(2 * places) : new Uint16Array(2 * places)
    this.links.set(links)
  }

  /** Looks the key up; whether it was there. */
  access(key: number): boolean {
    const segment = this.segments[key]
    if (segment === 0) this.add(key)
    else {
      this.take(key)
      this.append(key, segment === window ? window : main)
      if (segment === probation) this.demote()
    }
    return segment !== 0
  }

  reweigh(key: number, change: number): void {
    this.loads[this.segments[key]] += change
  }

  remove(key: number): void {
    if (this.segments[key] === 0) return
    this.take(key)
    this.keys.drop(key)
  }

  private add(key: number): void {
    this.keys.hold(key)
    // Too heavy for the window, it is the next candidate.
    if (this.keys.weights[key] > this.windowWeight) this.prepend(key, window)
    else this.append(key, window)
    while (this.isOver) this.remove(this.victim())
    while (this.sizes[window] > this.windowEntries || this.loads[window] > this.windowWeight) {
      const candidate = this.first(window)
      this.take(candidate)
      this.append(candidate, probation)
    }
  }

  private get isOver(): boolean {
    const { loads, sizes } = this
    return sizes[window] + sizes[probation] + sizes[main] > this.bounds.maxEntries ||
      loads[window] + loads[probation] + loads[main] > this.bounds.maxWeight
  }

  private victim(): number {
    const candidate = this.first(window)
    const incumbent = this.sizes[probation] > 0 ? this.first(probation) : this.first(main)
    if (candidate < 0 || incumbent < 0) return candidate < 0 ? incumbent : candidate
    if (this.sizes[window] < this.windowEntries && this.loads[window] < this.windowWeight) return incumbent
    const { hashes } = this.keys
    return this.sketch.frequency(hashes[candidate]) > this.sketch.frequency(hashes[incumbent]) ? incumbent : candidate
  }

  private demote(): void {
    while (this.sizes[main] > this.mainEntries || this.loads[main] > this.mainWeight) {
      const key = this.first(main)
      this.take(key)
      this.append(key, probation)
    }
  }

  /** Below 0 where there is none. */
  private first(segment: number): number {
    return this.links[2 * segment + 1] - 4
  }

  private take(key: number): void {
    const { links } = this
    const place = 2 * (key + 4)
    const before = links[place]
    const after = links[place + 1]
    links[2 * before + 1] = after
    links[2 * after] = before
    const segment = this.segments[key]
    this.segments[key] = 0
    // Weights may be fractions, whose sums drift.
    this.loads[segment] = --this.sizes[segment] === 0 ? 0 : this.loads[segment] - this.keys.weights[key]
  }

  private append(key: number, segment: number): void {
    this.insert(key, segment, this.links[2 * segment], segment)
  }

  private prepend(key: number, segment: number): void {
    this.insert(key, segment, segment, this.links[2 * segment + 1])
  }

  private insert(key: number, segment: number, before: number, after: number): void {
    const { links } = this
    const place = key + 4
    links[2 * place] = before
    links[2 * place + 1] = after
    links[2 * before + 1] = place
    links[2 * after] = place
    this.segments[key] = segment
    this.sizes[segment]++
    this.loads[segment] += this.keys.weights[key]
  }
}

export class Miniatures {
  readonly caches: ReadonlyArray<Miniature>
  private readonly keys = new Keys()

  /** Caches with these bounds, one for each share that the window may have, and at most 8 of them. */
  constructor(shares: ReadonlyArray<number>, private readonly bounds: Bounds, sketch: FrequencySketch) {
    this.caches = shares.map((share) => new Miniature(share, bounds, this.keys, sketch))
  }

  /** How many keys they know. */
  get size(): number {
    return this.keys.size
  }

  /** Looks a key up in each; the bits say in which it was there. What fits none is in none. */
  access(hash: number, weight: number): number {
    const { caches, keys } = this
    if (weight > this.bounds.maxWeight) return 0
    let key = keys.find(hash)
    if (key === none) key = this.add(hash, weight)
    else if (keys.weights[key] !== weight) this.reweigh(key, weight)
    // Nobody else gets its number meanwhile, though none may keep it.
    keys.hold(key)
    let hits = 0
    for (let i = 0; i < caches.length; i++) if (caches[i].access(key)) hits |= 1 << i
    keys.drop(key)
    return hits
  }

  /** The key has gone, and not because it had to make room. */
  remove(hash: number): void {
    const key = this.keys.find(hash)
    if (key === none) return
    this.keys.hold(key)
    for (const cache of this.caches) cache.remove(key)
    this.keys.drop(key)
  }

  private add(hash: number, weight: number): number {
    const { room } = this.keys
    const key = this.keys.add(hash, weight)
    if (this.keys.room > room) { for (const cache of this.caches) cache.makeRoom() }
    return key
  }

  private reweigh(key: number, weight: number): void {
    const change = weight - this.keys.weights[key]
    for (const cache of this.caches) cache.reweigh(key, change)
    this.keys.weights[key] = weight
  }
}
