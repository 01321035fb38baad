/**
 * What a fiber does for a cache: a load, a release, a listener. Those that it forks do it, too, and it may be a part of
 * something else that is done for a cache.
 */
import { type CurrentFiber, inherited, withFiber } from "@patinox/core/kernel"
import { Effect } from "effect"
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

  /** The innermost load. */
  get load(): Load<any, any, any> | undefined {
    return this.item instanceof Load ? this.item : this.outer?.load
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

const current = /* @__PURE__ */ inherited<ActiveWork>()

export const workOf = (fiber: CurrentFiber): ActiveWork | undefined => current.of(fiber)

/** Whatever runs inside of the effect works on the item, until that has ended. */
export const workingOn = <A, E, R>(item: WorkItem, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  withFiber((fiber) => {
    const work = new ActiveWork(item, workOf(fiber))
    return Effect.ensuring(current.during(work, effect), Effect.sync(() => work.end()))
  })
