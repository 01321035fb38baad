/** The pool: its end. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")

export const poolEnding = [
  mutation(
    "the drain of a pool has the time of a finalizer",
    "ResourcePool.ts",
    "limitsItself(() => draining)",
    "() => draining",
    "ResourcePool.shutdown",
    "ResourcePool.keyed"
  ),
  mutation(
    "a drain has more time than the scope that it is a part of",
    "internal/Drain.ts",
    "Math.min(timeout, leftMillis(fiber, context))",
    "timeout",
    "ResourcePool.shutdown",
    "ResourcePool.keyed"
  ),
  mutation(
    "an item is lent for a scope that has closed meanwhile",
    "internal/Pool.ts",
    "lease.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease)",
    "Effect.succeed(lease)",
    "ResourcePool"
  ),
  mutation(
    "a drain leaves those that wait for a pool waiting",
    "internal/PoolState.ts",
    "this.phase === \"serving\" ? 0 : this.refuseAll(\"closed\", who)",
    "0",
    "internal/PoolState",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain never serves those that wait for a pool",
    "internal/Drain.ts",
    "this.waiters === \"serve\" ? \"serve\" : \"refuse\"",
    "\"refuse\"",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a pool has a drain for each that asks for one",
    "internal/Drain.ts",
    "    pool.drain.hasten(timeout)\n    return pool.drain\n",
    "    pool.drain.hasten(timeout)\n",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain of a pool goes by its first deadline, though another is earlier",
    "internal/Drain.ts",
    "    if (this.stage !== undefined) timers.set(this.stage.deadline, this.stage.until())\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a later deadline of a drain of a pool counts",
    "internal/Drain.ts",
    "    if (now + timeout >= this.deadlineAt) return\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain of a pool leaves what is held for a scope around it",
    "internal/Drain.ts",
    "lease.isScoped ? lease.fiber === fiber : Seam.isWithin(fiber, lease.fiber)",
    "Seam.isWithin(fiber, lease.fiber)",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain waits for the items of a pool that its caller holds",
    "internal/Drain.ts",
    "inUse === this.held",
    "inUse === 0",
    "ResourcePool.deadlock"
  ),
  mutation(
    "a drain takes items of a pool from its own caller",
    "internal/Drain.ts",
    "      if (this.own.has(lease) && !lease.isScoped) continue\n",
    "",
    "ResourcePool.deadlock"
  ),
  mutation(
    "a drain takes the items of a pool from their holders at its deadline only",
    "internal/Drain.ts",
    "Math.min(5_000, timeout / 5)",
    "0",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a long drain takes the items of a pool too early",
    "internal/Drain.ts",
    "Math.min(5_000, timeout / 5)",
    "timeout / 5",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain takes nothing of a pool from its holders",
    "internal/Drain.ts",
    "      this.pool.reclaim(lease)\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain waits for a check of a pool that hangs",
    "internal/Drain.ts",
    "    for (const item of checks.running) state.giveBack(item, timers.now(), \"reclaimed\")\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a closed pool lends what has come back just before",
    "internal/Pool.ts",
    "!isCondemned && this.state.phase !== \"closed\"",
    "!isCondemned",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain takes the creations of a pool that it interrupts for failures",
    "internal/Lifecycle.ts",
    "      this.stopCounting(creation)\n      this.pool.state.createUnwanted()\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain waits for a creation of a pool that nobody wants any more",
    "internal/Drain.ts",
    "        else if (state.waiting.size === 0) this.giveUpWork()\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain counts what could not be destroyed of a pool as destroyed",
    "internal/Drain.ts",
    "this.destroyed - this.failed.length",
    "this.destroyed",
    "ResourcePool.timeout"
  ),
  mutation(
    "a drain does not say that something of a pool was left",
    "internal/Drain.ts",
    "deadlineReached: !isQuiet",
    "deadlineReached: false",
    "ResourcePool.shutdown"
  ),
  mutation(
    "the holders of a pool's items do not hear of its drain",
    "internal/Drain.ts",
    "Effect.andThen(startDraining, this.finish)",
    "Effect.andThen(Effect.void, this.finish)",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a pool that has drained watches its leases",
    "internal/Leases.ts",
    "    this.timers.clear(this.deadline)\n",
    "",
    "ResourcePool.quiet"
  )
]
