/** Every item of a pool, from its creation to the end of its destruction: finds and condemns those that are bad. */
import type { Item } from "./Item.js"
import type { PoolContext } from "./PoolContext.js"
import type { ItemState } from "./RunningCheck.js"
import { Doubt } from "./state/PoolItem.js"

export class ItemList<A> {
  /** Each item knows its place here. */
  private readonly items: Array<Item<A>> = []

  constructor(
    private readonly context: Pick<PoolContext, "timers" | "random">,
    private readonly state: ItemState<A>
  ) {}

  add(item: Item<A>): void {
    item.place = this.items.push(item) - 1
  }

  remove(item: Item<A>): void {
    const { place } = item
    const last = this.items[this.items.length - 1]!
    if (place === -1) return
    this.items.pop()
    item.place = -1
    if (last === item) return
    this.items[place] = last
    last.place = place
  }

  /** An idle item is destroyed now, an item in use at its return, and the creation of an item fails. */
  condemn(item: Item<A>): void {
    // An item that is being destroyed stays so.
    if (item.guard === undefined) item.doubts |= Doubt.condemned
    else this.state.condemn(item, this.context.timers.now(), this.context.random())
  }

  /** Condemns the items of this value; gives whether there are any. */
  condemnValue(value: unknown): boolean {
    const found = this.items.filter((item) => Object.is(item.value, value))
    for (const item of found) this.condemn(item)
    return found.length > 0
  }

  /** Gives how many. */
  condemnAll(): number {
    return this.state.condemnAll(this.items, this.context.timers.now())
  }
}
