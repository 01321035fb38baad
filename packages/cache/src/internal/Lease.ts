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

  /** Whether it cannot end while the fiber waits: somebody else may close a scope that is not the fiber's. */
  endsAfter(fiber: CurrentFiber): boolean {
    return this.fiber === fiber && (this.scope === undefined || this.scope === scopeOrUndefined(fiber))
  }
}

export class Lease<A> {
  guard: ResourceGuard.Any | undefined = undefined
  /** A weigher or a `timeToLive` has failed for it: it is released, and nobody gets it. */
  isSpoiled = false
  /** Its release has begun, whoever asked for that. */
  isReleased = false
  /** `release` has succeeded: it never runs again, whatever becomes of the rest. */
  hasReleased = false
  /** The scope was closed: what that came to is what it comes to ever after. */
  isScopeClosed = false
  /** Who waits for the last use to end. */
  onUnused: (() => void) | undefined = undefined
  newest: Borrow | undefined = undefined

  constructor(readonly value: A, readonly scope: LazyScope) {}

  get id(): ResourceId.ResourceId {
    return this.guard!.id
  }

  add(hold: Borrow): void {
    hold.next = this.newest
    if (this.newest !== undefined) this.newest.previous = hold
    this.newest = hold
  }

  remove(hold: Borrow): void {
    if (hold.previous === undefined) this.newest = hold.next
    else hold.previous.next = hold.next
    if (hold.next !== undefined) hold.next.previous = hold.previous
    hold.previous = hold.next = undefined
  }

  /** The oldest first. */
  holds(): Array<Borrow> {
    const holds: Array<Borrow> = []
    for (let hold = this.newest; hold !== undefined; hold = hold.next) holds.push(hold)
    return holds.reverse()
  }
}
