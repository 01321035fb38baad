/** The pool: decisions, borrowing, items, the end, and what it tells. */
import { type Mutation, mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")

/** What the pool has from the core. */
const foundation = (name: string, file: string, find: string, replace: string, test: string): Mutation => ({
  name,
  file: `packages/core/src/internal/${file}`,
  find,
  replace,
  tests: [`packages/${test}.test.ts`]
})

const decisions = [
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
    "Math.min(this.wanted, this.limits.createConcurrency)",
    "this.wanted",
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
    "const item = this.idle.pop()",
    "const item = this.idle.shift()",
    "internal/PoolState"
  ),
  mutation(
    "the waiting line of a pool serves who came last, first",
    "internal/WaitQueue.ts",
    "const first = this.lists[band]!.first",
    "const first = this.lists[band]!.last",
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
    "for (let band = bands - 1; band >= 0; band--)",
    "for (let band = 0; band < bands; band++)",
    "internal/WaitQueue"
  ),
  mutation(
    "a creation of a pool that is stuck keeps another from beginning",
    "internal/PoolState.ts",
    "this.creating - this.stuck < Math.min(",
    "this.creating < Math.min(",
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
    "    if (this.isHopeless && !this.circuit.allows(now, this.creating - this.stuck)) return \"creation\"\n",
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

const items = [
  mutation(
    "the idle timeout of a pool does not stop at minSize",
    "internal/PoolState.ts",
    "this.lasting > this.minSize && now >= item.idleSince + this.limits.idleTimeout",
    "now >= item.idleSince + this.limits.idleTimeout",
    "internal/PoolState"
  ),
  mutation(
    "idle items of a pool above minSize are never due",
    "internal/PoolState.ts",
    "return this.hadSurplus ? Math.min(due, item.idleSince + idleTimeout) : due",
    "return due",
    "internal/PoolState"
  ),
  mutation(
    "a pool lends an idle item that is too old",
    "internal/PoolState.ts",
    "if (now < item.expiresAt) {",
    "if (item !== undefined) {",
    "internal/PoolState"
  ),
  mutation(
    "a pool keeps an item that comes back too old",
    "internal/PoolState.ts",
    "    if (now >= item.expiresAt) return \"expired\"\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "all items of a pool grow equally old",
    "internal/Lifecycle.ts",
    "lifetimeJitter === 0 ? maxLifetime : maxLifetime * (1 - lifetimeJitter * this.random())",
    "maxLifetime",
    "ResourcePool.saturation"
  ),
  mutation(
    "an item of a pool has a use more than maxUses",
    "internal/PoolState.ts",
    "if (item.uses >= this.limits.maxUses)",
    "if (item.uses > this.limits.maxUses)",
    "internal/PoolState"
  ),
  mutation(
    "keeping an item of a pool alive keeps it from being idle for too long",
    "internal/PoolState.ts",
    "    item.idleSince = idleSince\n",
    "",
    "internal/PoolState"
  ),
  mutation(
    "a pool keeps items alive that were used meanwhile",
    "internal/PoolState.ts",
    "    item.usedAt = now\n",
    "",
    "internal/PoolState",
    "ResourcePool.manager"
  ),
  mutation(
    "an item of a pool whose keep-alive fails stays",
    "internal/Checks.ts",
    "if (cause === undefined) state.keptAlive(item, timers.now())",
    "if (cause !== null) state.keptAlive(item, timers.now())",
    "ResourcePool.manager"
  ),
  mutation(
    "a pool without a keepAlive has its items checked",
    "internal/Options.ts",
    "  if (!hasKeepAlive) resolved[\"keepAliveInterval\"] = Infinity\n",
    "",
    "ResourcePool.quiet",
    "ResourcePool.saturation"
  ),
  mutation(
    "a pool validates an item that was created, not used, long ago",
    "internal/Checks.ts",
    "at - item.usedAt >= options.validateAfter",
    "at - item.createdAt >= options.validateAfter",
    "ResourcePool.manager"
  ),
  mutation(
    "an item of a pool that is being validated stays when its borrower goes",
    "internal/Checks.ts",
    "      state.giveBack(item, timers.now(), \"unfit\")\n",
    "      state.giveBack(item, timers.now(), Exit.isSuccess(exit) ? \"unfit\" : undefined)\n",
    "ResourcePool.interruption"
  ),
  mutation(
    "a check of a pool that answers with false has not failed",
    "internal/Checks.ts",
    "(exit.value !== false || operation === \"recycle\")",
    "exit.value !== null",
    "ResourcePool.manager"
  ),
  mutation(
    "a pool waits for a check that ignores its interruption",
    "internal/Bounded.ts",
    "Effect.interruptible(Effect.disconnect(Effect.suspend(make)))",
    "Effect.interruptible(Effect.suspend(make))",
    "ResourcePool.timeout"
  ),
  mutation(
    "the return of an item to a pool is interrupted while it is recycled",
    "internal/Checks.ts",
    "Effect.flatMap(Effect.forkDaemon(recycling), Fiber.join)",
    "recycling",
    "ResourcePool.interruption"
  ),
  mutation(
    "a pool lends an item that could not be recycled",
    "internal/Checks.ts",
    "cause === undefined ? undefined : \"recycleFailed\"",
    "undefined",
    "ResourcePool.manager"
  ),
  mutation(
    "a pool recycles an item that it lets go of",
    "internal/Pool.ts",
    " &&\n      state.reasonToRetire(item, now) === undefined",
    "",
    "ResourcePool.manager"
  ),
  mutation(
    "a creation of a pool that takes too long is not interrupted",
    "internal/Lifecycle.ts",
    "    state.createStuck(timers.now(), this.random())\n    Seam.interruptLater(creation.fiber!)\n",
    "    state.createStuck(timers.now(), this.random())\n",
    "ResourcePool.timeout"
  ),
  mutation(
    "an interrupted creation of a pool loses what it has opened",
    "internal/Lifecycle.ts",
    "manager.destroy === undefined ? Effect.interruptible(create) : create",
    "Effect.interruptible(create)",
    "ResourcePool.timeout"
  ),
  mutation(
    "a failed creation of a pool does not close what it has opened",
    "internal/Lifecycle.ts",
    "const leavesSomething = !scope.isEmpty",
    "const leavesSomething = false",
    "ResourcePool.manager"
  ),
  mutation(
    "a creation of a pool that has ended in time is stuck later",
    "internal/Lifecycle.ts",
    "        this.pool.timers.clear(creation.deadline)\n        if (Exit",
    "        if (Exit",
    "ResourcePool.quiet",
    "ResourcePool.saturation"
  ),
  mutation(
    "an item of a pool that cannot be destroyed keeps its scope open",
    "internal/Lifecycle.ts",
    "Effect.andThen(Scope.addFinalizer(scope, Effect.orDie(destroyed)), scope.close(Exit.void))",
    "Effect.andThen(destroyed, scope.close(Exit.void))",
    "ResourcePool.manager"
  ),
  foundation(
    "what is added to the scope of an item of a pool after its end stays",
    "LazyScope.ts",
    "return this.isOver ? Effect.tap(ready, (scope) => Scope.close(scope, Exit.void)) : ready",
    "return ready",
    "core/test/internal/LazyScope"
  ),
  mutation(
    "a pool lends an item that its registry has released",
    "internal/Pool.ts",
    "item.status === \"inUse\" && !item.isReleased && ",
    "item.status === \"inUse\" && ",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a pool does not notice that its registry releases an item",
    "internal/Lifecycle.ts",
    "    if (item.guard !== undefined && !item.isReleased) return Effect.andThen(this.noticeRelease(item), released)\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a pool lends what its registry has released before it was there",
    "internal/Lifecycle.ts",
    "        if (item.isReleased) {",
    "        if (false) {",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a pool goes on after its registry has closed",
    "internal/Lifecycle.ts",
    "      if (this.isRefused(cause)) pool.onRegistryClosed()\n",
    "",
    "ResourcePool.shutdown"
  )
]

const borrowing = [
  mutation(
    "a borrower of a pool whose item was unfit is a newcomer",
    "internal/Borrower.ts",
    "this.wait(now, true) : this.fit(other, now, now)",
    "this.wait(now, false) : this.fit(other, now, now)",
    "ResourcePool.saturation"
  ),
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
    "Math.min(options.validateTimeout, left)",
    "options.validateTimeout",
    "ResourcePool.timeout"
  ),
  mutation(
    "a pool lends after the deadline of a borrow",
    "internal/Borrower.ts",
    "    if (now >= this.deadline) return this.tooLate()\n",
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
    "if (item === undefined) pool.state.leave(this), pool.lifecycle.interruptCreations()\n",
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
    "    this.pool.timers.clear(this)\n    this.resume?.",
    "    this.resume?.",
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
    "does not say that it is.\n      return true",
    "does not say that it is.\n      return false",
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
    "a pool with promises keeps what it has taken back",
    "internal/Promises.ts",
    "      if (lent.get(item)!.length === 0) lent.delete(item)\n",
    "",
    "ResourcePool.memory"
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
    "isClosed || leaving.delete(made)",
    "isClosed",
    "ResourcePool.memory"
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

const ending = [
  mutation(
    "a drain leaves those that wait for a pool waiting",
    "internal/PoolState.ts",
    "const refused = this.phase === \"serving\" ? 0 : this.refuseAll(\"closed\")",
    "const refused = 0",
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
    "internal/Making.ts",
    "    if (drain !== undefined) return drain\n",
    "",
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
    "      if (this.own.has(lease)) continue\n",
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
    "!item.isReleased && this.state.phase !== \"closed\"",
    "!item.isReleased",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain takes the creations of a pool that it interrupts for failures",
    "internal/Lifecycle.ts",
    "      creation.isStuck = true\n      this.pool.timers.clear(creation.deadline)\n      this.pool.state.createUnwanted()\n",
    "      this.pool.timers.clear(creation.deadline)\n",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain waits for a creation of a pool that nobody wants any more",
    "internal/Drain.ts",
    "        else if (state.waiting.size === 0) lifecycle.interruptCreations()\n",
    "",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a drain counts what could not be destroyed of a pool as destroyed",
    "internal/Drain.ts",
    "this.destroyed - this.failed.length",
    "this.destroyed",
    "ResourcePool.shutdown",
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

const telling = [
  foundation(
    "a slow listener of a pool keeps everything that happened",
    "Hub.ts",
    "Queue.sliding<Event>(buffered)",
    "Queue.unbounded<Event>()",
    "pool/test/ResourcePool.events"
  ),
  foundation(
    "a pool makes events though nobody listens",
    "Hub.ts",
    "    if (this.listeners.size === 0) return\n",
    "",
    "pool/test/ResourcePool.memory"
  ),
  mutation(
    "the events of a pool do not end with it",
    "internal/Teller.ts",
    "new Hub<PoolEvent>(({ _tag }) => _tag === \"Closed\")",
    "new Hub<PoolEvent>(() => false)",
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
    "if (inARow === 1 || inARow === limits.failFastAfter) {",
    "if (inARow > 0) {",
    "ResourcePool.events"
  ),
  mutation(
    "the gauges of a pool miss a return",
    "internal/Pool.ts",
    "    state.giveBack(item, now, reason)\n    this.counted()\n",
    "    state.giveBack(item, now, reason)\n",
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

export const pool = [...decisions, ...items, ...borrowing, ...ending, ...telling]
