/** An item of a pool: the value, what decisions need of it, and its guard. */
import type { ResourceGuard, ResourceId } from "@patinox/core"
import type { PoolItem, RemovalReason } from "./PoolState.js"

/** What the pool's functions are told of an item, beside the item. */
export interface ItemInfo {
  /** Undefined for one that never got into the pool. */
  readonly id: ResourceId.ResourceId | undefined
  readonly ageMillis: number
  /** Since it was created, returned or checked last. */
  readonly idleMillis: number
  /** How often it has been borrowed, this time included. */
  readonly uses: number
}

export class Item<A> implements PoolItem {
  status: PoolItem["status"] = "inUse"
  condemned: RemovalReason | undefined = undefined
  isReleased = false
  uses = 0
  usedAt: number
  idleSince: number

  constructor(
    readonly guard: ResourceGuard.Any,
    readonly value: A,
    readonly createdAt: number,
    readonly expiresAt: number
  ) {
    this.usedAt = this.idleSince = createdAt
  }

  get id(): ResourceId.ResourceId {
    return this.guard.id
  }

  info(now: number): ItemInfo {
    return {
      id: this.id,
      ageMillis: now - this.createdAt,
      idleMillis: Math.max(0, now - this.usedAt),
      uses: this.uses
    }
  }
}
