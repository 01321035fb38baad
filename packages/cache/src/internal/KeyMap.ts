/**
 * A map whose keys are compared by `Equal`. Primitives, which most keys are, take the fast way through a map of their
 * own; other keys are found by their `Hash`, and only then compared. Pure data.
 */
import { Equal, Hash } from "effect"

const isPrimitive = (key: unknown): boolean => key === null || (typeof key !== "object" && typeof key !== "function")

export class KeyMap<K, V> {
  private readonly byPrimitive = new Map<K, V>()
  /** By hash; those whose hashes are the same stand side by side. Most caches need none. */
  private byHash: Map<number, Array<readonly [key: K, value: V]>> | undefined = undefined
  private hashed = 0

  get size(): number {
    return this.byPrimitive.size + this.hashed
  }

  get(key: K): V | undefined {
    if (isPrimitive(key)) return this.byPrimitive.get(key)
    const bucket = this.byHash?.get(Hash.hash(key))
    return bucket?.find(([other]) => Equal.equals(other, key))?.[1]
  }

  set(key: K, value: V): void {
    if (isPrimitive(key)) {
      this.byPrimitive.set(key, value)
      return
    }
    this.byHash ??= new Map()
    const hash = Hash.hash(key)
    const bucket = this.byHash.get(hash)
    const index = bucket?.findIndex(([other]) => Equal.equals(other, key)) ?? -1
    if (bucket !== undefined && index >= 0) bucket[index] = [key, value]
    else {
      this.hashed++
      if (bucket === undefined) this.byHash.set(hash, [[key, value]])
      else bucket.push([key, value])
    }
  }

  delete(key: K): void {
    if (isPrimitive(key)) {
      this.byPrimitive.delete(key)
      return
    }
    const hash = Hash.hash(key)
    const bucket = this.byHash?.get(hash)
    const index = bucket?.findIndex(([other]) => Equal.equals(other, key)) ?? -1
    if (bucket === undefined || index < 0) return
    this.hashed--
    if (bucket.length === 1) this.byHash!.delete(hash)
    else bucket.splice(index, 1)
  }

  values(): Array<V> {
    const values = [...this.byPrimitive.values()]
    for (const bucket of this.byHash?.values() ?? []) for (const [, value] of bucket) values.push(value)
    return values
  }
}
