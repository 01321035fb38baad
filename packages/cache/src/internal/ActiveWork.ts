/**
 * What a fiber does for a cache: a lookup, a release, a listener. Those that it forks do it, too, and it may be a part of
 * something else that is done for a cache.
 */
import type { CacheEntry } from "./state/CacheEntry.js"
import { Load } from "./state/Load.js"

export type WorkItem = Load<any, any, any> | CacheEntry<any, any, any>

export class ActiveWork {
  private readonly outer: ActiveWork | undefined

  constructor(private item: WorkItem | undefined, outer: ActiveWork | undefined) {
    this.outer = outer?.current
  }

  /** The innermost that is not over. */
  private get current(): ActiveWork | undefined {
    return this.item === undefined ? this.outer?.current : this
  }

  /** The innermost lookup. */
  get lookup(): Load<any, any, any> | undefined {
    return this.item instanceof Load ? this.item : this.outer?.lookup
  }

  /** What has come of it may know this work for as long as it lives: it keeps nothing else alive. */
  end(): void {
    this.item = undefined
  }

  /** The innermost first. */
  *items(): Generator<WorkItem> {
    if (this.item !== undefined) yield this.item
    if (this.outer !== undefined) yield* this.outer.items()
  }
}
