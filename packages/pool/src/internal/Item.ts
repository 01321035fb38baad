/** An item of a pool: the value, what decisions need of it, its guard, and the scope that it was created in. */
import type { ResourceGuard, ResourceId } from "@patinox/core"
import type { LazyScope } from "@patinox/core/kernel"
import { Effect } from "effect"
import type { PoolItem } from "./state/PoolItem.js"

/** An item's own handle, given to `create`: for listeners that learn of the item's death while it is idle. */
export interface ItemHandle {
  /**
   * The item is bad: an idle item is destroyed at once, an item in use at its return, and the creation of an item fails.
   * Synchronous, never throws, and may be called at any time and any number of times: a listener of a driver's event.
   */
  readonly invalidate: () => void
}

/** What the pool's functions learn of an item, beside the item. */
export interface ItemInfo {
  /** Undefined for an item that never got into the pool. */
  readonly id: ResourceId.ResourceId | undefined
  readonly ageMillis: number
  /** Since it was created, returned or checked last. */
  readonly idleMillis: number
  /** How often it has been borrowed, this time included. */
  readonly uses: number
}

export class Item<A> implements PoolItem {
  status: PoolItem["status"] = "inUse"
  isReleased = false
  uses = 0
  createdAt = 0
  expiresAt = 0
  usedAt = 0
  idleSince = 0
  doubts = 0
  /** In the pool's list of its items; -1 where it is not there. */
  place = -1
  value!: A
  /** The value is there. */
  isMade = false
  /** From its registration on. */
  guard: ResourceGuard.Any | undefined = undefined

  constructor(readonly scope: LazyScope) {}

  get id(): ResourceId.ResourceId {
    return this.guard!.id
  }

  made(value: A): Effect.Effect<void> {
    this.value = value
    this.isMade = true
    return Effect.void
  }

  created(guard: ResourceGuard.Any, now: number, lifetime: number): void {
    this.guard = guard
    this.createdAt = this.usedAt = this.idleSince = now
    this.expiresAt = now + lifetime
  }

  info(now: number): ItemInfo {
    return this.guard === undefined ? { id: undefined, ageMillis: 0, idleMillis: 0, uses: 0 } : {
      id: this.id,
      ageMillis: now - this.createdAt,
      idleMillis: Math.max(0, now - this.usedAt),
      uses: this.uses
    }
  }
}
