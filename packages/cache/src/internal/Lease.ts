/** A value that has to be released: its guard, the scope that it was looked up in, and who uses it. */
import type { ResourceGuard, ResourceId } from "@patinox/core"
import { type CurrentFiber, type LazyScope, type Midst, scopeOrUndefined } from "@patinox/core/kernel"
import type { Scope } from "effect"

/** One use of a value. */
export class Borrow {
  isOver = false
  /** It ends with this scope, not with what its user is doing. */
  scope: Scope.Scope | undefined = undefined
  previous: Borrow | undefined = undefined
  next: Borrow | undefined = undefined
  /** The use, where it is not for a scope. */
  inside: Midst | undefined = undefined

  constructor(readonly fiber: CurrentFiber, readonly since: number) {}

  get isScoped(): boolean {
    return this.scope !== undefined
  }

  /** Whether it cannot end while the fiber waits: others may close a scope that is not the fiber's. */
  endsAfter(fiber: CurrentFiber): boolean {
    return this.fiber === fiber && (this.scope === undefined || this.scope === scopeOrUndefined(fiber))
  }
}

export class Lease<A> {
  guard: ResourceGuard.Any | undefined = undefined
  /** A weigher or a `timeToLive` has failed for it: it is released, and no caller gets it. */
  isSpoiled = false
  /** Its release has begun, by the cache or by the registry. */
  isReleased = false
  /** `release` has succeeded: it never runs again, however the rest ends. */
  hasReleased = false
  /** The scope was closed: what that came to is what it comes to ever after. */
  isScopeClosed = false
  /** Called when the last use has ended. */
  onUnused: (() => void) | undefined = undefined
  newest: Borrow | undefined = undefined

  constructor(readonly value: A, readonly scope: LazyScope) {}

  get id(): ResourceId.ResourceId {
    return this.guard!.id
  }

  add(borrow: Borrow): void {
    borrow.next = this.newest
    if (this.newest !== undefined) this.newest.previous = borrow
    this.newest = borrow
  }

  remove(borrow: Borrow): void {
    if (borrow.previous === undefined) this.newest = borrow.next
    else borrow.previous.next = borrow.next
    if (borrow.next !== undefined) borrow.next.previous = borrow.previous
    borrow.previous = borrow.next = undefined
  }

  /** The oldest first. */
  borrows(): Array<Borrow> {
    const borrows: Array<Borrow> = []
    for (let borrow = this.newest; borrow !== undefined; borrow = borrow.next) borrows.push(borrow)
    return borrows.reverse()
  }
}
