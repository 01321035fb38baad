/** The pool: what it decides, and when it creates. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")

export const poolDecisions = [
  mutation(
    "a pool has an item more than maxSize",
    "internal/PoolState.ts",
    "&& this.total < this.maxSize",
    "&& this.total <= this.maxSize",
    "internal/PoolState"
  ),
  mutation(
    "a pool does not count what is being destroyed",
    "internal/PoolState.ts",
    "this.inUse + this.creating + this.destroying",
    "this.inUse + this.creating",
    "internal/PoolState"
  ),
  mutation(
    "a pool creates any number of items at once",
    "internal/PoolState.ts",
    "this.active - this.slow < this.mostCreated && ",
    "",
    "internal/PoolState",
    "ResourcePool.saturation"
  ),
  mutation(
    "a pool does not fill up to minSize",
    "internal/PoolState.ts",
    "Math.max(waiting, this.minSize - this.idle.length - this.inUse)",
    "waiting",
    "internal/PoolState",
    "ResourcePool.saturation"
  ),
  mutation(
    "a pool creates for minSize beside those that wait",
    "internal/PoolState.ts",
    "Math.max(waiting, this.minSize - this.idle.length - this.inUse)",
    "waiting + Math.max(0, this.minSize - this.idle.length - this.inUse)",
    "internal/PoolState"
  ),
  mutation(
    "a pool that shrinks keeps its idle items",
    "internal/PoolState.ts",
    "    while (this.idle.length > 0 && this.lasting > maxSize) this.retire(this.idle.shift()!, \"resized\")\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "a pool that shrinks keeps what comes back",
    "internal/PoolState.ts",
    "    if (this.lasting > this.maxSize) return \"resized\"\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "a pool lends the item that was used first",
    "internal/PoolState.ts",
    "this.idle.push(item)\n    else this.idle.unshift(item)",
    "this.idle.unshift(item)\n    else this.idle.push(item)",
    "internal/PoolState"
  ),
  mutation(
    "the waiting line of a pool serves who came last, first",
    "internal/WaitQueue.ts",
    "const first: Waiting | undefined = this.lists[band]!.first",
    "const first: Waiting | undefined = this.lists[band]!.last",
    "internal/WaitQueue"
  ),
  mutation(
    "a suspended pool lends",
    "internal/PoolState.ts",
    "if (this.phase !== \"open\" || this.isSuspended ||",
    "if (this.phase !== \"open\" ||",
    "ResourcePool.saturation",
    "internal/PoolState"
  ),
  mutation(
    "a pool turns away borrowers for whom there is room",
    "internal/PoolState.ts",
    "this.limits.maxWaiters + this.coming",
    "this.limits.maxWaiters",
    "internal/PoolState"
  ),
  mutation(
    "the waiting line of a pool puts who was served already last",
    "internal/WaitQueue.ts",
    "    if (band.last === undefined || band.last.ticket < waiter.ticket) next = undefined\n    else while (next !== undefined && next.ticket < waiter.ticket) next = next.next\n",
    "    next = undefined\n",
    "internal/WaitQueue"
  ),
  mutation(
    "the waiting line of a pool serves the least urgent first",
    "internal/WaitQueue.ts",
    "if (level < highest ||",
    "if ((next !== undefined && level > highest) ||",
    "internal/WaitQueue"
  ),
  mutation(
    "a creation of a pool that is stuck keeps another from beginning",
    "internal/PoolState.ts",
    "return this.creating - this.stuck\n",
    "return this.creating\n",
    "internal/PoolState"
  ),
  mutation(
    "a pool lends what was created too late",
    "internal/PoolState.ts",
    "const why = isLate ? \"late\" : this.reasonToRetire(item, now)",
    "const why = this.reasonToRetire(item, now)",
    "internal/PoolState",
    "ResourcePool.timeout"
  ),
  mutation(
    "the pauses of a pool after failed creations do not double",
    "internal/Circuit.ts",
    "2 ** Math.min(failures - 1, 52)",
    "failures",
    "internal/Circuit"
  ),
  mutation(
    "the pauses of a pool after failed creations have no limit",
    "internal/Circuit.ts",
    "Math.min(backoffTo, backoffFrom * 2 ** Math.min(failures - 1, 52))",
    "(backoffFrom * 2 ** Math.min(failures - 1, 52))",
    "internal/Circuit"
  ),
  mutation(
    "the pauses of all pools after failed creations are the same",
    "internal/Circuit.ts",
    " * (1 - random / 2)",
    "",
    "internal/Circuit"
  ),
  mutation(
    "the open circuit of a pool lets everybody try",
    "internal/Circuit.ts",
    "now >= this.nextAt && (!this.isOpen || creating === 0)",
    "now >= this.nextAt",
    "internal/Circuit"
  ),
  mutation(
    "a success does not close the circuit of a pool",
    "internal/Circuit.ts",
    "    this.failures = 0\n",
    "",
    "internal/Circuit"
  ),
  mutation(
    "borrowers join a pool that can create nothing",
    "internal/PoolState.ts",
    "    if (this.isHopeless && this.active === 0 && !this.circuit.allows(now, 0)) return \"creation\"\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "those that wait are not told that a pool can create nothing",
    "internal/PoolState.ts",
    "    if (this.isHopeless && this.creating === this.stuck && !this.circuit.allows(now, 0)) this.refuseAll(\"creation\")\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "a pool does not try again after a failed creation",
    "internal/PoolState.ts",
    "        if (now < this.circuit.nextAt) this.host.growAt(this.circuit.nextAt)\n",
    "",
    "internal/PoolState",
    "ResourcePool.clock"
  ),
  mutation(
    "a pool tries again to create what nobody wants any more",
    "internal/PoolState.ts",
    "    this.waiting.leave(waiter)\n    if (this.wanted <= 0) this.host.growAt(Infinity)\n",
    "    this.waiting.leave(waiter)\n",
    "internal/PoolState"
  )
]
