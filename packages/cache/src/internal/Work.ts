/**
 * What a fiber does for a cache: a lookup, a release, a listener. Those that it forks do it, too, and it may be a part of
 * something else that is done for a cache.
 */
import { Loading } from "./Loading.js"
import type { Slot } from "./Slot.js"

export type WorkItem = Loading<any, any, any> | Slot<any, any, any>

export class Work {
  private readonly outer: Work | undefined

  constructor(private item: WorkItem | undefined, outer: Work | undefined) {
    this.outer = outer?.current
  }

  /** The innermost that is not over. */
  private get current(): Work | undefined {
    return this.item === undefined ? this.outer?.current : this
  }

  /** The innermost lookup. */
  get lookup(): Loading<any, any, any> | undefined {
    return this.item instanceof Loading ? this.item : this.outer?.lookup
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
