/**
 * How often each key was seen lately, in about 20 bytes a key and for keys that are long gone, too: a count-min sketch
 * of 4-bit counters. A key has four counters and its frequency is the least of them, so that another key can raise it
 * but never lower it. Every so often all counters are halved, and what was popular once is forgotten. Pure data.
 *
 * The shape is that of Caffeine's `FrequencySketch` (Ben Manes), after Cormode and Muthukrishnan's sketch and TinyLFU
 * by Einziger, Friedman and Manes: the four counters of a key stand in one block of 64 bytes, which is one line of a
 * processor's cache. Unlike there, the table grows with the number of entries and keeps its counts.
 */

import { mixed } from "./KeyHash.js"

/** In a block: 16 words of 8 counters; a key has one counter in each quarter of it. */
const blockWords = 16
/** Twice as many as Caffeine has: a scan that is taken for popular costs more than the memory. */
const wordsPerKey = 4
const leastWords = 512

/** For so many keys it is sized at least: a sketch for fewer would forget them too soon. */
const leastCapacity = 64

/** Counts are halved when this many times the capacity has been counted. */
const sampleFactor = 10

export const highest = 15

const respread = (hash: number): number => {
  const x = Math.imul(hash, 0x31848bab)
  return x ^ (x >>> 14)
}

const bitCount = (word: number): number => {
  let x = word - ((word >>> 1) & 0x55555555)
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333)
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

export class FrequencySketch {
  /** How many times the counts were halved. */
  agings = 0
  /** For how many keys it is sized. */
  capacity = leastCapacity
  private counted = 0
  private table = new Int32Array(leastWords)
  private blockMask = leastWords / blockWords - 1

  /** After how many counts the next halving comes, from none. */
  get sampleSize(): number {
    return this.capacity * sampleFactor
  }

  /** Makes room for so many keys, should there be less. */
  ensureCapacity(keys: number): void {
    if (keys <= this.capacity) return
    this.capacity = keys
    while (this.table.length < keys * wordsPerKey) {
      // One more bit says which block is a key's: both blocks start as the one that was, and no count is lost.
      const table = new Int32Array(this.table.length * 2)
      table.set(this.table)
      table.set(this.table, this.table.length)
      this.table = table
    }
    this.blockMask = this.table.length / blockWords - 1
  }

  /** How often this hash was counted lately: up to 15, never too low, seldom too high. */
  frequency(hash: number): number {
    const { table } = this
    const bits = mixed(hash)
    const choice = respread(bits)
    const block = (bits & this.blockMask) * blockWords
    let least = highest
    for (let row = 0; row < 4; row++) {
      const at = choice >>> (row << 3)
      const count = (table[block + (row << 2) + (at & 3)] >>> (at & 0b11100)) & highest
      if (count < least) least = count
    }
    return least
  }

  /** Counts the hash once more, and gives its bits, mixed. */
  increment(hash: number): number {
    const bits = mixed(hash)
    const choice = respread(bits)
    const block = (bits & this.blockMask) * blockWords
    const added = this.add(block, choice) | this.add(block + 4, choice >>> 8) |
      this.add(block + 8, choice >>> 16) | this.add(block + 12, choice >>> 24)
    // What is popular beyond counting does not make the rest forgotten sooner.
    if (added !== 0 && ++this.counted >= this.sampleSize) this.age()
    return bits
  }

  private add(quarter: number, bits: number): number {
    const word = quarter + (bits & 3)
    const shift = bits & 0b11100
    const count = (this.table[word] >>> shift) & highest
    if (count === highest) return 0
    this.table[word] += 1 << shift
    return 1
  }

  private age(): void {
    const { table } = this
    let odd = 0
    for (let word = 0; word < table.length; word++) {
      odd += bitCount(table[word] & 0x11111111)
      table[word] = (table[word] >>> 1) & 0x77777777
    }
    this.agings++
    // Each count stands in four counters; the halves that were cut off are not counted any more.
    this.counted = (this.counted - (odd >>> 2)) >>> 1
  }
}
