/**
 * A map whose keys are compared by `Equal`. Primitives, which most keys are, take the fast way through a map of their
 * own; other keys are found by the hash that they had when they came in, and only then compared. What is in the map is
 * taken out by that hash and by its identity, so that a key which has changed since costs nothing. A user's `Hash` and
 * `Equal` are called here and nowhere else, and cannot throw out of it. Pure data.
 */
import { Hash } from "effect"
import { hasSameContents, keyHash } from "../policy/KeyHash.js"

/** What a map holds: it knows its key, and what that one's hash was. */
export interface Keyed<K> {
  readonly key: K
  readonly hash: number
}

const isPrimitive = (key: unknown): boolean => key === null || (typeof key !== "object" && typeof key !== "function")

/** The hash of a key. Where `Hash` throws, or answers no number, the key is compared by its identity. */
export const hashOf = (key: unknown): number => {
  try {
    const hash: unknown = keyHash(key)
    if (typeof hash === "number") return hash | 0
  } catch {
    // As of a key without a hash.
  }
  return Hash.random(key as object)
}

/** Whether both are one key. Where the comparison throws, they are not. */
const isSameKey = (one: unknown, other: unknown): boolean => {
  if (one === other) return true
  try {
    return hasSameContents(one, other)
  } catch {
    return false
  }
}

const copies = new Map<unknown, (key: any) => unknown>([
  [Date.prototype, (date: Date) => new Date(date)],
  [URL.prototype, (url: URL) => new URL(url)]
])

/** A key to keep: of what `Equal` compares by contents that anybody can change, a copy. */
export const keptKey = <K>(key: K): K => {
  if (isPrimitive(key)) return key
  try {
    const copy = copies.get(Object.getPrototypeOf(key))
    return copy === undefined ? key : copy(key) as K
  } catch {
    return key
  }
}

export class KeyMap<K, V extends Keyed<K>> {
  private readonly byPrimitive = new Map<K, V>()
  /** By hash; those whose hashes are the same stand side by side. Most caches need none. */
  private byHash: Map<number, Array<V>> | undefined = undefined
  private hashed = 0

  get size(): number {
    return this.byPrimitive.size + this.hashed
  }

  get(key: K): V | undefined {
    if (isPrimitive(key)) return this.byPrimitive.get(key)
    return this.byHash === undefined ? undefined : this.among(key, hashOf(key))
  }

  /** The value under the key of this one. */
  like({ hash, key }: Keyed<K>): V | undefined {
    return isPrimitive(key) ? this.byPrimitive.get(key) : this.among(key, hash)
  }

  private among(key: K, hash: number): V | undefined {
    return this.byHash?.get(hash)?.find((other) => isSameKey(other.key, key))
  }

  /** Takes the place of what has the same key. */
  set(value: V): void {
    const { hash, key } = value
    if (isPrimitive(key)) {
      this.byPrimitive.set(key, value)
      return
    }
    this.byHash ??= new Map()
    const bucket = this.byHash.get(hash)
    if (bucket === undefined) {
      this.hashed++
      this.byHash.set(hash, [value])
      return
    }
    const index = bucket.findIndex((other) => isSameKey(other.key, key))
    if (index >= 0) bucket[index] = value
    else {
      this.hashed++
      bucket.push(value)
    }
  }

  /** Whether this very value is in the map. */
  has(value: V): boolean {
    return isPrimitive(value.key)
      ? this.byPrimitive.get(value.key) === value
      : this.byHash?.get(value.hash)?.includes(value) === true
  }

  /** Takes this very value out, and no other of its key. */
  delete(value: V): void {
    const { hash, key } = value
    if (isPrimitive(key)) {
      if (this.byPrimitive.get(key) === value) this.byPrimitive.delete(key)
      return
    }
    const bucket = this.byHash?.get(hash)
    const index = bucket?.indexOf(value) ?? -1
    if (bucket === undefined || index < 0) return
    this.hashed--
    if (bucket.length === 1) this.byHash!.delete(hash)
    else bucket.splice(index, 1)
  }

  values(): Array<V> {
    const values = [...this.byPrimitive.values()]
    for (const bucket of this.byHash?.values() ?? []) values.push(...bucket)
    return values
  }

  /** One by one, as far as the iteration goes. */
  *[Symbol.iterator](): Iterator<V> {
    yield* this.byPrimitive.values()
    for (const bucket of this.byHash?.values() ?? []) yield* bucket
  }
}
