/**
 * The hash of a key: keys that are equal have the same, and others seldom do. Effect's own has few values for data of
 * small numbers, as it combines fields by `^` alone. Such keys would share a bucket of the map and a counter of the
 * policy. Not for keys whose class compares them in its own way: only its own `Hash` knows what is equal there. Pure data.
 */
import { Equal, Hash } from "effect"

/** Mixes by Chris Wellons' "hash prospector": each bit of the number changes about half of those of the result. */
export const mixed = (hash: number): number => {
  let x = hash ^ (hash >>> 17)
  x = Math.imul(x, 0xed5ad4bb)
  x ^= x >>> 11
  x = Math.imul(x, 0xac4c1b51)
  return x ^ (x >>> 15)
}

const halves = new Int32Array(2)
const double = new Float64Array(halves.buffer)

const ofNumber = (key: number): number => {
  if ((key | 0) === key) return key | 0
  double[0] = key
  return mixed(halves[0]) ^ halves[1]
}

/** In whatever order the fields are: that of equal keys may differ. */
const ofFields = (key: object): number => {
  let sum = 0
  for (const field of Object.keys(key)) {
    sum = (sum + mixed(mixed(keyHash((key as Record<string, unknown>)[field])) ^ Hash.string(field))) | 0
  }
  return sum
}

const ofElements = (key: ReadonlyArray<unknown>): number => {
  let hash = key.length
  for (let i = 0; i < key.length; i++) hash = mixed((Math.imul(hash, 31) + keyHash(key[i])) | 0)
  return hash
}

/** A 32-bit integer. It throws where a `Hash` of the user's or a getter of the key does. */
export const keyHash = (key: unknown): number => {
  if (typeof key === "number") return ofNumber(key)
  if (typeof key !== "object" || key === null) return Hash.hash(key)
  // Effect keeps the hash of an object, which may have changed since.
  if (Hash.isHash(key)) return key[Hash.symbol]()
  if (Array.isArray(key)) return ofElements(key)
  // Effect compares these by their fields; of a class it may be more than those.
  if (Object.getPrototypeOf(key) === Object.prototype) return ofFields(key)
  return key instanceof URL ? Hash.string(key.href) : Hash.hash(key)
}

/**
 * Whether both are equal now: Effect keeps what two objects once were to each other, and some may have changed since. It
 * throws where an `Equal` of the user's does.
 */
export const hasSameContents = (one: unknown, other: unknown): boolean => {
  if (Equal.isEqual(one) && Equal.isEqual(other)) return one[Equal.symbol](other)
  if (one instanceof URL) return other instanceof URL && one.href === other.href
  if (one instanceof Date) return other instanceof Date && Object.is(one.getTime(), other.getTime())
  return Equal.equals(one, other)
}
