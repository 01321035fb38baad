/**
 * Rows of entries. Each operation takes a few writes, allocates nothing and costs the same however long the row is. The
 * links are not in the entries but in arrays of numbers beside them, as in node-lru-cache: a hit then touches neither
 * its neighbours, which are far apart in a large heap, nor anything that the garbage collector follows. Pure data.
 */

const none = -1

/** Places for the links of the entries of one or more lists: at an even index the one before, then the one after. */
class Places {
  links = new Int32Array(32)
  /** By half the index of its place. */
  readonly entries: Array<PolicyEntry | undefined> = []
  /** The first of the places that were given back; each has the following one as its next. */
  private free = none

  take(entry: PolicyEntry | undefined): number {
    let place = this.free
    if (place !== none) this.free = this.links[place + 1]
    else {
      place = this.entries.length * 2
      if (place === this.links.length) this.grow()
    }
    this.entries[place >> 1] = entry
    return place
  }

  giveBack(place: number): void {
    this.entries[place >> 1] = undefined
    this.links[place + 1] = this.free
    this.free = place
  }

  private grow(): void {
    const { links } = this
    this.links = new Int32Array(links.length * 2)
    this.links.set(links)
  }
}

/** What a policy keeps of an entry. */
export interface PolicyEntry {
  /** Of the key, a 32-bit integer; keys that are equal have the same. */
  readonly hash: number
  /** In the weigher's unit, 0 or more; 1 if the cache has none. It never changes. */
  readonly weight: number
  /** The list that the entry is in: kept by the lists, for a policy to read. */
  list: EntryList | undefined
  /** For the list that the entry is in. */
  place: number
  /** A number of the policy's own; 0 at first. */
  mark: number
}

/** A row of entries; `CachePolicy.makeList` makes one. An entry is in one list at a time. */
export class EntryList {
  /** How many entries are in it. */
  size = 0
  private readonly places: Places
  /** A place of its own, at which the row begins and ends. */
  private readonly head: number

  /** Between lists that share their places entries move for less. */
  constructor(beside?: EntryList) {
    this.places = beside?.places ?? new Places()
    this.head = this.places.take(undefined)
    this.places.links[this.head] = this.places.links[this.head + 1] = this.head
  }

  get first(): PolicyEntry | undefined {
    return this.places.entries[this.places.links[this.head + 1] >> 1]
  }

  get last(): PolicyEntry | undefined {
    return this.places.entries[this.places.links[this.head] >> 1]
  }

  /** From first to last; the list must stay as it is meanwhile. */
  *[Symbol.iterator](): Iterator<PolicyEntry> {
    const { entries, links } = this.places
    for (let place = links[this.head + 1]; place !== this.head; place = links[place + 1]) yield entries[place >> 1]!
  }

  /** Puts the entry behind all others, wherever it was before. */
  append(entry: PolicyEntry): void {
    this.enter(entry)
    this.insert(entry.place, this.places.links[this.head], this.head)
  }

  /** Puts the entry before all others, wherever it was before. */
  prepend(entry: PolicyEntry): void {
    this.enter(entry)
    this.insert(entry.place, this.head, this.places.links[this.head + 1])
  }

  /** Takes the entry out; an entry that is not in this list stays where it is. */
  remove(entry: PolicyEntry): void {
    if (entry.list !== this) return
    this.leave(entry)
    this.places.giveBack(entry.place)
    entry.list = undefined
  }

  /** Puts an entry that is in no list where the old one is, which leaves; if that is not in this list, nothing. */
  replace(old: PolicyEntry, entry: PolicyEntry): void {
    if (old.list !== this) return
    this.left(old)
    old.list = undefined
    entry.place = old.place
    this.places.entries[entry.place >> 1] = entry
    entry.list = this
    this.entered(entry)
  }

  /** Puts the entry behind all others if it is in this list; else it stays where it is. */
  moveToEnd(entry: PolicyEntry): void {
    if (entry.list !== this) return
    const { head } = this
    const { links } = this.places
    const { place } = entry
    const after = links[place + 1]
    if (after === head) return
    const before = links[place]
    links[before + 1] = after
    links[after] = before
    this.insert(place, links[head], head)
  }

  protected entered(_entry: PolicyEntry): void {
    this.size++
  }

  protected left(_entry: PolicyEntry): void {
    this.size--
  }

  private enter(entry: PolicyEntry): void {
    const { list } = entry
    if (list !== undefined && list.places === this.places) list.leave(entry)
    else {
      list?.remove(entry)
      entry.place = this.places.take(entry)
    }
    entry.list = this
    this.entered(entry)
  }

  private leave(entry: PolicyEntry): void {
    const { links } = this.places
    const before = links[entry.place]
    const after = links[entry.place + 1]
    links[before + 1] = after
    links[after] = before
    this.left(entry)
  }

  private insert(place: number, before: number, after: number): void {
    const { links } = this.places
    links[before + 1] = place
    links[place] = before
    links[place + 1] = after
    links[after] = place
  }
}
