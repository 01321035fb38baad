/** What the books of a program say of its items. */
import type { ResourcePool } from "../../src/index.js"
import type { Fault, Operation } from "./program.js"

const throwing = (): never => {
  throw new Error("this cannot be looked at")
}

/** Throws wherever it is looked at. */
export const untellable: any = new Proxy({}, {
  get: throwing,
  // Effect itself asks this of what it fails with.
  has: () => false,
  ownKeys: throwing,
  getPrototypeOf: throwing,
  getOwnPropertyDescriptor: throwing
})

interface Running {
  readonly operation: Operation
  readonly fault: Fault
}

/** A creation: it counts from its start until nothing of it is left. */
export class Made {
  state: "creating" | "created" | "over" = "creating"
  id: string | undefined = undefined
  holders = 0
  /** What runs on it now. */
  readonly running = new Set<Running>()
  destroyedAt: number | undefined = undefined
  /** Its creating has ended, and what its scope holds is released. */
  isScopeOpen = false
  hasFailed = false
  isDestroyed = false
  /** Somebody may take it from its holder. */
  mayBeTaken = false
  /** Its last use did not succeed, and it has not been found fit since. */
  isSuspect = false
  /** Somebody has said that it is bad. */
  isCondemned = false
  wasForced = false
  handle: ResourcePool.ItemHandle | undefined = undefined

  constructor(readonly number: number) {}

  toString = throwing
  toJSON = throwing
  readonly [Symbol.toPrimitive] = throwing

  /** What runs on it now, but for what was let go of as it does not stop. */
  get busy(): Running | undefined {
    return [...this.running].find(({ fault }) => fault !== "ignores")
  }
}
