/** The pool: what it tells. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")
/** The hub of its events is the core's. */
const ofHub = mutationsOf("core", "pool")

export const poolTelling = [
  ofHub(
    "a slow listener of a pool keeps everything that happened",
    "internal/kernel/EventHub.ts",
    "Queue.sliding<Event>(this.capacity)",
    "Queue.unbounded<Event>()",
    "ResourcePool.events"
  ),
  ofHub(
    "a pool makes events though nobody listens",
    "internal/kernel/EventHub.ts",
    "    if (this.subscribers.size === 0) return\n",
    "",
    "ResourcePool.memory"
  ),
  mutation(
    "the events of a pool do not end with it",
    "internal/Teller.ts",
    "new EventHub<PoolEvent>(({ _tag }) => _tag === \"Closed\")",
    "new EventHub<PoolEvent>(() => false)",
    "ResourcePool.events"
  ),
  mutation(
    "a pool logs each of a crowd of slow borrowers",
    "internal/Teller.ts",
    "if (now < this.slowToldAt + slowLineEvery) {",
    "if (now < this.slowToldAt) {",
    "ResourcePool.timeout"
  ),
  mutation(
    "a pool forgets the slow borrowers that had no line of their own",
    "internal/Teller.ts",
    "      this.slowUntold++\n",
    "",
    "ResourcePool.timeout"
  ),
  mutation(
    "a pool logs each failed creation",
    "internal/Teller.ts",
    "if (failures === 1 || failures === limits.failFastAfter) {",
    "{",
    "ResourcePool.events"
  ),
  mutation(
    "the gauges of a pool miss a return",
    "internal/Pool.ts",
    "    if (!isKept) state.giveBack(item, now, reason)\n    this.counted()\n",
    "    if (!isKept) state.giveBack(item, now, reason)\n",
    "ResourcePool.events"
  ),
  mutation(
    "the gauges of keyed pools are those of one key",
    "internal/PoolMetrics.ts",
    "totals.inUse += inUseNow - this.lastInUse",
    "inUseNow",
    "ResourcePool.events"
  )
]
