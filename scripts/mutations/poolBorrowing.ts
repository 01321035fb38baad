/** The pool: its borrowers, their leases, keys and promises. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")

export const poolBorrowing = [
  mutation(
    "a borrow from a pool has a deadline for each of its waits",
    "internal/Borrower.ts",
    "Math.min(slowAt, this.deadline)",
    "Math.min(slowAt, now + this.limit)",
    "ResourcePool.timeout"
  ),
  mutation(
    "the deadline of a borrow from a pool does not limit its validating",
    "internal/Borrower.ts",
    "      pool.checks.cutOff(check)\n",
    "",
    "ResourcePool.timeout"
  ),
  mutation(
    "a borrower of a pool that is out of time still waits",
    "internal/Borrower.ts",
    "    pool.state.leave(this)\n    this.fail(error)",
    "    this.fail(error)",
    "ResourcePool.timeout"
  ),
  mutation(
    "who is interrupted and served at once keeps an item of a pool",
    "internal/Borrower.ts",
    "    else pool.state.giveBack(item, pool.timers.now())\n",
    "",
    "ResourcePool.interruption"
  ),
  mutation(
    "an interrupted borrower of a pool still waits",
    "internal/Borrower.ts",
    "if (item === undefined) pool.state.leave(this)\n    else pool",
    "if (item !== undefined) pool",
    "ResourcePool.interruption"
  ),
  mutation(
    "the creation that an interrupted borrower of a pool has asked for ends with it",
    "internal/Borrower.ts",
    "if (item === undefined) pool.state.leave(this)\n",
    "if (item === undefined) pool.state.leave(this), pool.lifecycle.giveUpCreations()\n",
    "ResourcePool.interruption"
  ),
  mutation(
    "an interrupted borrower of a pool keeps its timer",
    "internal/Borrower.ts",
    "    this.resume = undefined\n    pool.timers.clear(this)\n",
    "    this.resume = undefined\n",
    "ResourcePool.quiet"
  ),
  mutation(
    "a borrower of a pool that was served keeps its timer",
    "internal/Borrower.ts",
    "    this.pool.timers.clear(this)\n    this.disownCheck()\n",
    "    this.disownCheck()\n",
    "ResourcePool.quiet"
  ),
  mutation(
    "a slow borrower of a pool is reported again and again",
    "internal/Borrower.ts",
    "    this.isSlow = true\n",
    "",
    "ResourcePool.timeout"
  ),
  mutation(
    "an invalid item of a pool is lent again",
    "internal/Pool.ts",
    "lease.isInvalid ? \"invalidated\" : this.condemns(exit)",
    "this.condemns(exit)",
    "ResourcePool.leak"
  ),
  mutation(
    "a pool keeps an item when invalidateWhen throws",
    "internal/Pool.ts",
    "UserFunction.call(() => invalidateWhen(exit.cause), () => true)",
    "UserFunction.call(() => invalidateWhen(exit.cause), () => false)",
    "ResourcePool.manager"
  ),
  mutation(
    "a lease of a pool whose time is over is not reclaimed",
    "internal/Pool.ts",
    "    if (isReclaimed) this.reclaim(lease)\n",
    "",
    "ResourcePool.leak"
  ),
  mutation(
    "a reclaimed lease of a pool is returned",
    "internal/Pool.ts",
    "    if (lease.isOver) return undefined\n",
    "",
    "ResourcePool.leak"
  ),
  mutation(
    "a younger lease of a pool is never suspected",
    "internal/Leases.ts",
    "      if (!lease.isSuspected) this.lookBy(suspectedAt)\n",
    "",
    "ResourcePool.leak"
  ),
  mutation(
    "the suspicion of a lease of a pool is not lifted",
    "internal/Pool.ts",
    "    if (lease.isSuspected) this.teller.leakResolved(lease)\n",
    "",
    "ResourcePool.leak"
  ),
  mutation(
    "a pool that samples stacks takes all of them",
    "internal/Making.ts",
    "captureStacks === \"sampled\" && calls++ % sampleEvery === 0",
    "captureStacks === \"sampled\"",
    "ResourcePool.leak"
  ),
  mutation(
    "a pool keeps the leases that are over",
    "internal/Pool.ts",
    "    this.leases.remove(lease)\n",
    "",
    "ResourcePool.leak"
  ),
  mutation(
    "a failed callback of a pool with promises is a success",
    "internal/Promises.ts",
    "        exit = Exit.fail(error)\n",
    "",
    "ResourcePool.promises"
  ),
  mutation(
    "a key's pool is drained while it is used",
    "internal/Keyed.ts",
    "      timers.clear(entry.idle)\n      return",
    "      return",
    "ResourcePool.keyed"
  ),
  mutation(
    "who was refused by a key's pool still uses it",
    "internal/Keyed.ts",
    "              : Effect.andThen(leave(entry), exit))",
    "              : exit)",
    "ResourcePool.keyed"
  ),
  mutation(
    "keyed pools keep the pools of keys that are gone",
    "internal/Keyed.ts",
    "        remove(entry)\n",
    "",
    "ResourcePool.keyed"
  ),
  mutation(
    "keyed pools make another for a key whose pool is being emptied",
    "internal/Keyed.ts",
    "      else if (state.total === 0) {",
    "      else {",
    "ResourcePool.keyed"
  ),
  mutation(
    "a keyed pool that is wanted again while it is emptied goes on being emptied",
    "internal/Keyed.ts",
    "      entry.stopEmptying?.()\n      timers.clear(entry.idle)\n",
    "      timers.clear(entry.idle)\n",
    "ResourcePool.keyed"
  ),
  mutation(
    "a keyed pool that was emptied once keeps no items any more",
    "internal/Keyed.ts",
    "      state.minSize = options.minSize\n",
    "",
    "ResourcePool.keyed"
  ),
  mutation(
    "the use that drains keyed pools is waited for",
    "internal/Keyed.ts",
    "          for (const draining of drains) draining.join(fiber)\n",
    "",
    "ResourcePool.keyed"
  ),
  mutation(
    "a pool keeps who waited for it to be ready",
    "internal/Pool.ts",
    "      return Effect.sync(() => this.onSettled.delete(look))",
    "      return Effect.void",
    "ResourcePool.memory"
  ),
  mutation(
    "a pool keeps the creations that have failed",
    "internal/Lifecycle.ts",
    "    if (!leavesSomething) {\n      this.creations.delete(creation)\n",
    "    if (!leavesSomething) {\n",
    "ResourcePool.memory"
  )
]
