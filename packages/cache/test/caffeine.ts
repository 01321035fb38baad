/**
 * What Caffeine's adaptive policy makes of a trace: a model, in words of our own, of `HillClimberWindowTinyLfu` in the
 * simulator of Caffeine (Ben Manes; Apache License 2.0) with its reference configuration of August 2026. Its parts: a
 * window of 1 % at first, a segmented LRU with 80 % protected, a count-min sketch of 4-bit counters that are halved
 * periodically, no doorkeeper, admission with jitter, and the "simple" hill climber.
 */
import { random } from "./traces.js"

/** The product of two 32-bit integers, as its upper and lower half, summed up to 32 bits. */
const foldedProduct = (one: number, other: number): number => {
  const [a, b] = [one >>> 16, one & 0xffff]
  const [c, d] = [other >>> 16, other & 0xffff]
  const low = b * d
  const middle = a * d + (low >>> 16)
  const carried = b * c + (middle & 0xffff)
  const upper = a * c + Math.floor(middle / 0x10000) + Math.floor(carried / 0x10000)
  return (upper + Math.imul(one, other)) | 0
}

/** The upper and lower halves of the sketch's four 64-bit seeds. */
const seeds = [
  [0xc3a5c85c, 0x97cb3127],
  [0xb492b66f, 0xbe98f273],
  [0x9ae16a3b, 0x2f90404f],
  [0xcbf29ce4, 0x84222325]
] as const

/** (item + seed) * seed in 64 bits, whose halves are then added. */
const seeded = (item: number, row: number): number => {
  const [high, low] = seeds[row]
  const sum = (item >>> 0) + low
  const upper = (high + (item < 0 ? -1 : 0) + (sum >= 2 ** 32 ? 1 : 0)) | 0
  const lower = sum >>> 0
  return (foldedProduct(lower, low) + Math.imul(upper, low) + Math.imul(lower, high)) | 0
}

const spread = (hash: number): number => {
  let x = Math.imul((hash >>> 16) ^ hash, 0x45d9f3b)
  x = Math.imul((x >>> 16) ^ x, 0x45d9f3b)
  return (x >>> 16) ^ x
}

class CountMin4 {
  private readonly counters: Uint8Array
  private readonly mask: number
  private readonly period: number
  private additions = 0

  constructor(size: number) {
    const words = 2 ** Math.ceil(Math.log2(Math.max(1, size)))
    // A byte for each of the 16 counters of a word.
    this.counters = new Uint8Array(words * 16)
    this.mask = words - 1
    this.period = 10 * words
  }

  private counterOf(hash: number, row: number): number {
    return (seeded(hash, row) & this.mask) * 16 + ((hash & 3) << 2) + row
  }

  frequency(key: number): number {
    const hash = spread(key)
    return Math.min(...[0, 1, 2, 3].map((row) => this.counters[this.counterOf(hash, row)]))
  }

  increment(key: number): void {
    const hash = spread(key)
    let isAdded = false
    for (let row = 0; row < 4; row++) {
      const at = this.counterOf(hash, row)
      if (this.counters[at] < 15) {
        this.counters[at]++
        isAdded = true
      }
    }
    if (!isAdded || ++this.additions !== this.period) return
    let odd = 0
    for (let at = 0; at < this.counters.length; at++) {
      odd += this.counters[at] & 1
      this.counters[at] >>= 1
    }
    this.additions = (this.additions - (odd >>> 2)) >>> 1
  }
}

/** "Simple": walks on while the hit rate gets better, and back when it gets worse. */
class SimpleClimber {
  private readonly isSmall: boolean
  private readonly firstStep: number
  private readonly firstSample: number
  private step: number
  private sample: number
  private grows: boolean
  private previous = 0
  private hits = 0
  private lookups = 0

  constructor(size: number) {
    this.isSmall = size <= 512
    this.firstStep = this.step = Math.max(0.0625 * size, 2)
    this.firstSample = this.sample = 10 * size
    this.grows = this.isSmall
  }

  /** A lookup of a full cache; by how much the window is to grow, 0 most of the time. */
  saw(isHit: boolean): number {
    this.lookups++
    if (isHit) this.hits++
    if (this.lookups < this.sample) return 0
    const rate = this.hits / this.lookups
    if (rate < this.previous) this.grows = !this.grows
    if (Math.abs(rate - this.previous) >= 0.05) {
      this.sample = this.firstSample
      this.step = this.firstStep
    }
    const amount = this.grows ? this.step : -this.step
    this.previous = rate
    this.hits = 0
    this.lookups = 0
    this.step *= this.isSmall ? 0.995 : 0.98
    if (this.isSmall) {
      const ratio = this.firstStep / Math.max(this.firstStep / 4, this.step)
      this.sample = Math.floor(this.firstSample * Math.min(4, Math.max(1, ratio)))
    }
    return amount
  }
}

/** Keys from the one used longest ago to the one used last. */
class Row {
  private readonly keys = new Set<number>()

  get first(): number | undefined {
    return this.keys.values().next().value
  }

  get size(): number {
    return this.keys.size
  }

  has = (key: number): boolean => this.keys.has(key)
  append = (key: number): void => void this.keys.add(key)
  remove = (key: number): boolean => this.keys.delete(key)
}

/** Probation also takes keys before all others, which a window that shrinks gives it. */
class Probation {
  private readonly row = new Row()
  /** The last one is the next to go. */
  private readonly before: Array<number> = []
  private readonly isBefore = new Set<number>()

  get size(): number {
    return this.row.size + this.isBefore.size
  }

  get first(): number | undefined {
    while (this.before.length > 0 && !this.isBefore.has(this.before.at(-1)!)) this.before.pop()
    return this.before.at(-1) ?? this.row.first
  }

  has = (key: number): boolean => this.row.has(key) || this.isBefore.has(key)
  append = (key: number): void => this.row.append(key)

  prepend(key: number): void {
    this.before.push(key)
    this.isBefore.add(key)
  }

  remove = (key: number): boolean => {
    if (!this.isBefore.delete(key)) return this.row.remove(key)
    // Were it to come back, its old place must not be taken for the new one.
    this.before.splice(this.before.lastIndexOf(key), 1)
    return true
  }
}

class Caffeine {
  hits = 0
  private readonly window = new Row()
  private readonly probation = new Probation()
  private readonly protected = new Row()
  private readonly sketch: CountMin4
  private readonly climber: SimpleClimber
  private readonly random = random(1_033_096_058)
  private maxWindow: number
  private maxProtected: number
  /** What the window has, fractions of the steps included. */
  private windowSize = 0

  constructor(private readonly size: number) {
    const maxMain = Math.floor(size * 0.99)
    this.maxWindow = size - maxMain
    this.maxProtected = Math.floor(maxMain * 0.8)
    this.sketch = new CountMin4(size)
    this.climber = new SimpleClimber(size)
  }

  get(key: number): void {
    const isFull = this.window.size + this.probation.size + this.protected.size >= this.size
    this.sketch.increment(key)
    const isHit = this.isHit(key)
    if (isHit) this.hits++
    else this.add(key)
    if (isFull) this.resize(this.climber.saw(isHit))
  }

  private isHit(key: number): boolean {
    if (this.window.remove(key)) this.window.append(key)
    else if (this.protected.remove(key)) this.protected.append(key)
    else if (this.probation.remove(key)) {
      this.protected.append(key)
      this.demote()
    } else return false
    return true
  }

  private demote(): void {
    if (this.protected.size <= this.maxProtected) return
    const key = this.protected.first!
    this.protected.remove(key)
    this.probation.append(key)
  }

  private add(key: number): void {
    this.window.append(key)
    this.windowSize++
    if (this.windowSize <= this.maxWindow) return
    const candidate = this.window.first!
    this.window.remove(candidate)
    this.windowSize--
    this.probation.append(candidate)
    if (this.window.size + this.probation.size + this.protected.size <= this.size) return
    const victim = this.probation.first!
    this.probation.remove(this.admits(candidate, victim) ? victim : candidate)
  }

  private admits(candidate: number, victim: number): boolean {
    const frequency = this.sketch.frequency(candidate)
    return frequency > this.sketch.frequency(victim) || (frequency >= 6 && this.random() < 1 / 128)
  }

  private resize(amount: number): void {
    if (amount > 0 && this.maxProtected > 0) {
      const quota = Math.min(amount, this.maxProtected)
      const steps = Math.floor(this.windowSize + quota) - Math.floor(this.windowSize)
      this.windowSize += quota
      for (let i = 0; i < steps; i++) {
        this.maxWindow++
        this.maxProtected--
        this.demote()
        const key = this.probation.first!
        this.probation.remove(key)
        this.window.append(key)
      }
    } else if (amount < 0 && this.maxWindow > 0) {
      const quota = Math.min(-amount, this.maxWindow)
      const steps = Math.floor(this.windowSize) - Math.floor(this.windowSize - quota)
      this.windowSize -= quota
      for (let i = 0; i < steps; i++) {
        this.maxWindow--
        this.maxProtected++
        const key = this.window.first!
        this.window.remove(key)
        this.probation.prepend(key)
      }
    }
  }
}

/** The share of the trace's lookups that are hits in Caffeine's adaptive policy. */
export const caffeineHitRate = (trace: ReadonlyArray<number>, size: number): number => {
  const cache = new Caffeine(size)
  for (const key of trace) cache.get(key)
  return cache.hits / trace.length
}
