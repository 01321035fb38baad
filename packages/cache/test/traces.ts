/** What is asked for, in which order: seeded traces of keys, and the best that any cache can make of one. */

/** Numbers from 0 to below 1 (splitmix32 by Sebastiano Vigna's scheme). */
export const random = (seed: number): () => number => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let x = state ^ (state >>> 16)
    x = Math.imul(x, 0x21f0aaad)
    x ^= x >>> 15
    x = Math.imul(x, 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Keys whose frequency falls with their rank: the k-th is asked for in proportion to 1 / k^exponent. */
export const zipf = (keys: number, exponent: number, length: number, seed: number, firstKey = 0): Array<number> => {
  const next = random(seed)
  const sums = new Float64Array(keys)
  let sum = 0
  for (let i = 0; i < keys; i++) sums[i] = sum += (i + 1) ** -exponent
  return Array.from({ length }, () => {
    const at = next() * sum
    let low = 0
    let high = keys - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (sums[middle] < at) low = middle + 1
      else high = middle
    }
    return firstKey + low
  })
}

/** The same keys in the same order, over and over. */
export const loop = (keys: number, length: number): Array<number> => Array.from({ length }, (_, i) => i % keys)

/** The trace with a key that is never asked for again in about every second place. */
export const scanned = (hot: ReadonlyArray<number>, length: number, seed: number): Array<number> => {
  const next = random(seed)
  let fresh = 1_000_000_000
  let at = 0
  return Array.from({ length }, () => next() < 0.5 ? fresh++ : hot[at++ % hot.length])
}

/** New keys come steadily; each is asked for again soon after, about `span` keys later on average, and then no more. */
export const recent = (span: number, length: number, seed: number): Array<number> => {
  const next = random(seed)
  let newest = 0
  return Array.from(
    { length },
    () => next() < 0.3 ? ++newest : Math.max(0, newest - Math.floor(-Math.log(1 - next()) * span))
  )
}

/** The same keys forwards and then backwards, over and over. */
export const zigzag = (keys: number, length: number): Array<number> =>
  Array.from({ length }, (_, i) => {
    const at = i % (2 * keys - 2)
    return at < keys ? at : 2 * keys - 2 - at
  })

/** As `zipf`, but after every `steady` lookups a key, often a frequent one, gives way to a new one for good. */
export const drifting = (
  keys: number,
  exponent: number,
  length: number,
  { seed, steady }: { readonly seed: number; readonly steady: number }
): Array<number> => {
  const next = random(seed)
  const names = Array.from({ length: keys }, (_, i) => i)
  let fresh = keys
  return zipf(keys, exponent, length, seed + 1).map((rank, i) => {
    if (i % steady === 0) names[Math.floor(next() * next() * keys)] = fresh++
    return names[rank]
  })
}

/** New keys come steadily; each is asked for `times` times within about `span` lookups, and then no more. */
export const bursts = (span: number, times: number, length: number, seed: number): Array<number> => {
  const next = random(seed)
  const due: Array<Array<number> | undefined> = []
  const ready: Array<number> = []
  let fresh = 0
  let at = 0
  return Array.from({ length }, (_, now) => {
    ready.push(...due[now] ?? [])
    due[now] = undefined
    if (at < ready.length) return ready[at++]
    for (let time = 1; time < times; time++) {
      const when = now + 1 + Math.floor(next() * span)
      due[when] ??= []
      due[when].push(fresh)
    }
    return fresh++
  })
}

/** Lookups of each trace by chance, the first with this share; their keys are not the same. */
export const mixed = (
  one: ReadonlyArray<number>,
  other: ReadonlyArray<number>,
  { seed, share }: { readonly seed: number; readonly share: number }
): Array<number> => {
  const next = random(seed)
  let [i, j] = [0, 0]
  return Array.from(one, () => next() < share ? one[i++] : 1_000_000_000 + other[j++ % other.length])
}

/** One trace after the other, in turns of so many lookups; each goes on where it was. Their keys are not the same. */
export const inTurns = (traces: ReadonlyArray<ReadonlyArray<number>>, turn: number, length: number): Array<number> => {
  const at = traces.map(() => 0)
  return Array.from({ length }, (_, i) => {
    const which = Math.floor(i / turn) % traces.length
    return 1_000_000_000 * which + traces[which][at[which]++]
  })
}

/**
 * The hit rate of a cache that knows what comes (Belady's MIN): it keeps those keys that are asked for soonest. One that
 * keeps nothing of what it looked up may do better than one that must, so this may, and bounds both.
 */
export const optimum = (trace: ReadonlyArray<number>, size: number): number => {
  const nextUse = new Float64Array(trace.length).fill(Infinity)
  const seen = new Map<number, number>()
  for (let i = trace.length - 1; i >= 0; i--) {
    nextUse[i] = seen.get(trace[i]) ?? Infinity
    seen.set(trace[i], i)
  }
  // The latest next use is on top. What has been used since stays in the heap and is skipped.
  const heap: Array<{ readonly key: number; readonly next: number }> = []
  const isLater = (a: number, b: number) => heap[a].next > heap[b].next
  const swap = (a: number, b: number) => {
    const moved = heap[a]
    heap[a] = heap[b]
    heap[b] = moved
  }
  const push = (key: number, next: number) => {
    let at = heap.push({ key, next }) - 1
    for (let parent = (at - 1) >> 1; at > 0 && isLater(at, parent); at = parent, parent = (at - 1) >> 1) {
      swap(at, parent)
    }
  }
  const pop = () => {
    swap(0, heap.length - 1)
    const top = heap.pop()!
    for (let at = 0, child = 1; child < heap.length; at = child, child = 2 * at + 1) {
      if (child + 1 < heap.length && isLater(child + 1, child)) child++
      if (!isLater(child, at)) break
      swap(child, at)
    }
    return top
  }
  const cached = new Map<number, number>()
  let hits = 0
  trace.forEach((key, i) => {
    if (cached.has(key)) hits++
    cached.set(key, nextUse[i])
    push(key, nextUse[i])
    while (cached.size > size) {
      const { key, next } = pop()
      if (cached.get(key) === next) cached.delete(key)
    }
  })
  return hits / trace.length
}
