/** The eviction policies of `@patinox/cache`. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("cache")

export const cachePolicies = [
  mutation(
    "a list of entries keeps who left it from the garbage collector",
    "internal/EntryList.ts",
    "    this.entries[place >> 1] = undefined\n",
    "",
    "internal/EntryList"
  ),
  mutation(
    "a list of entries grows with each that ever was in it",
    "internal/EntryList.ts",
    "    this.free = place\n",
    "",
    "internal/EntryList"
  ),
  mutation(
    "a list of entries still names one that was replaced",
    "internal/EntryList.ts",
    "    this.places.entries[entry.place >> 1] = entry\n",
    "",
    "internal/EntryList"
  ),
  mutation(
    "a frequency sketch counts on beyond 15",
    "internal/FrequencySketch.ts",
    "    if (count === highest) return 0\n",
    "",
    "internal/FrequencySketch"
  ),
  mutation(
    "a frequency sketch says the frequency of a key that shares a counter",
    "internal/FrequencySketch.ts",
    "if (count < least) least = count",
    "least = count",
    "internal/FrequencySketch"
  ),
  mutation(
    "a frequency sketch forgets half of its keys when it grows",
    "internal/FrequencySketch.ts",
    "      table.set(this.table, this.table.length)\n",
    "",
    "internal/FrequencySketch"
  ),
  mutation(
    "a frequency sketch never forgets",
    "internal/FrequencySketch.ts",
    "++this.counted >= this.sampleSize",
    "++this.counted === Infinity",
    "internal/FrequencySketch"
  ),
  mutation(
    "a frequency sketch that halves its counts lets them spill over",
    "internal/FrequencySketch.ts",
    "(table[word] >>> 1) & 0x77777777",
    "table[word] >>> 1",
    "internal/FrequencySketch"
  ),
  mutation(
    "a frequency sketch forgets less and less often",
    "internal/FrequencySketch.ts",
    "(this.counted - (odd >>> 2)) >>> 1",
    "0",
    "internal/FrequencySketch"
  ),
  mutation(
    "LRU takes no notice of a use",
    "internal/Lru.ts",
    "if (entry.weight <= this.bounds.maxWeight) this.row.moveToEnd(entry)",
    "void entry",
    "internal/Lru"
  ),
  mutation(
    "LRU evicts first who was in use until now",
    "internal/Lru.ts",
    "  unpinned(entry: PolicyEntry): void {\n    this.place(entry)",
    "  unpinned(entry: PolicyEntry): void {\n    this.row.prepend(entry)",
    "internal/Lru"
  ),
  mutation(
    "LRU evicts all others for one that can never fit",
    "internal/Lru.ts",
    "else if (entry.weight > 0) this.row.prepend(entry)",
    "else if (entry.weight > 0) this.row.append(entry)",
    "internal/Lru"
  ),
  mutation(
    "LRU takes a refresh for a use",
    "internal/Lru.ts",
    "return this.row.replace(old, entry)",
    "void old",
    "internal/Lru"
  ),
  mutation(
    "W-TinyLFU admits who is as popular as who has to go",
    "internal/WTinyLfu.ts",
    "if (frequency > this.sketch.frequency(incumbent.hash)) return true",
    "if (frequency >= this.sketch.frequency(incumbent.hash)) return true",
    "internal/WTinyLfu",
    "CachePolicy.hitRates"
  ),
  mutation(
    "W-TinyLFU can be made to keep everybody out",
    "internal/WTinyLfu.ts",
    "return frequency >= warm && this.random() < luck",
    "return false",
    "internal/WTinyLfu",
    "CachePolicy"
  ),
  mutation(
    "W-TinyLFU admits by luck who was hardly asked for",
    "internal/WTinyLfu.ts",
    "return frequency >= warm && this.random() < luck",
    "return this.random() < luck",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU keeps who was turned away while in use as if it had been admitted",
    "internal/WTinyLfu.ts",
    "if (mark === rejected) this.probation.prepend(entry)",
    "if (mark === rejected) this.probation.append(entry)",
    "internal/WTinyLfu",
    "CachePolicy.hitRates"
  ),
  mutation(
    "W-TinyLFU forgets the uses of an entry that is pinned",
    "internal/WTinyLfu.ts",
    "      if (entry.mark === onProbation) entry.mark = isProtected\n",
    "",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU protects everybody",
    "internal/WTinyLfu.ts",
    "left > 0 && this.protected.isOver; left--",
    "left < 0; left--",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU lets its window grow for good",
    "internal/WTinyLfu.ts",
    "left > 0 && this.window.isOver; left--",
    "left < 0; left--",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU protects nobody",
    "internal/WTinyLfu.ts",
    "else if (list === this.probation && entry.weight <= this.protected.maxWeight) this.protected.append(entry)\n",
    "",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU keeps its window as it is",
    "internal/WTinyLfu.ts",
    "if (this.choice.saw(hits, isHit)) this.resize(this.choice.share)",
    "void hits",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU sends who is refreshed back to the start",
    "internal/WTinyLfu.ts",
    "      segment.replace(old, entry)\n",
    "      segment.remove(old)\n      this.toWindow(entry)\n",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU gives its window a place too many when room is made before",
    "internal/WTinyLfu.ts",
    "    if (this.entries <= this.bounds.maxEntries && this.weight <= this.bounds.maxWeight) this.settle()\n",
    "",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU loses count of a segment's weight",
    "internal/WTinyLfu.ts",
    "this.weight = this.size === 0 ? 0 : this.weight - entry.weight",
    "this.weight -= 1",
    "internal/WTinyLfu"
  ),
  mutation(
    "W-TinyLFU evicts others for one that can never fit",
    "internal/WTinyLfu.ts",
    "    if (this.neverFits(candidate)) return candidate\n",
    "",
    "internal/WTinyLfu"
  ),
  mutation(
    "the window of W-TinyLFU changes though no other is ahead for more than chance",
    "internal/WindowChoice.ts",
    "certainty * Math.sqrt(this.differing[of]) + cost",
    "0 * cost",
    "internal/WindowChoice"
  ),
  mutation(
    "the window of W-TinyLFU changes for less than the change costs",
    "internal/WindowChoice.ts",
    " + cost * this.places",
    " + 0 * cost",
    "internal/WindowChoice"
  ),
  mutation(
    "the window of W-TinyLFU is that of callers long ago",
    "internal/WindowChoice.ts",
    "if (this.seen >= this.remembered) this.forget()",
    "void this.remembered",
    "internal/WindowChoice"
  ),
  mutation(
    "W-TinyLFU believes miniatures whose keys cannot be told apart",
    "internal/WindowChoice.ts",
    "    if (this.current === before) this.retreat()\n",
    "",
    "internal/WindowChoice",
    "internal/WTinyLfu"
  ),
  mutation(
    "a miniature of W-TinyLFU keeps what is gone for another reason",
    "internal/WTinyLfu.ts",
    "this.miniatures?.remove(entry.hash)",
    "void entry",
    "internal/WTinyLfu"
  ),
  mutation(
    "the miniatures of W-TinyLFU forget what had to make room",
    "internal/WTinyLfu.ts",
    "entry !== this.named && this.isSeen(entry.hash)",
    "this.isSeen(entry.hash)",
    "internal/WTinyLfu",
    "CachePolicy.caffeine"
  ),
  mutation(
    "a key of a miniature gets the number of one that is still there",
    "internal/Miniatures.ts",
    "    keys.hold(key)\n    let hits",
    "    keys.hold(key)\n    keys.letGo(key)\n    let hits",
    "internal/Miniatures"
  ),
  mutation(
    "a miniature keeps nothing for who comes back often",
    "internal/Miniatures.ts",
    "this.append(key, segment === window ? window : main)",
    "this.append(key, window)",
    "internal/Miniatures"
  ),
  mutation(
    "keys of small numbers share their hashes",
    "internal/KeyHash.ts",
    "  if (comparesFields(comparison)) return ofFields(key)\n",
    "",
    "internal/KeyHash"
  ),
  mutation(
    "equal keys whose fields are in another order are two keys",
    "internal/KeyHash.ts",
    "sum = (sum + mixed(",
    "sum = mixed(sum + mixed(",
    "internal/KeyHash"
  ),
  mutation(
    "equal keys of two copies of Effect are two keys",
    "internal/KeyHash.ts",
    "String(comparison) !== text",
    "comparison !== ours",
    "internal/KeyHash"
  )
]
