/** The pool: the life of its items. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("pool")
/** What it has from the core. */
const ofCore = mutationsOf("core")

export const poolItems = [
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
    "if (item === undefined || now < item.expiresAt) return item",
    "if (item === undefined || now < Infinity) return item",
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
    "lifetimeJitter === 0 ? maxLifetime : maxLifetime * (1 - lifetimeJitter * pool.random())",
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
    "keepAliveEnded(item, timers.now(), cause === undefined)",
    "keepAliveEnded(item, timers.now(), true)",
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
    "internal/Borrower.ts",
    "    if (check !== undefined) pool.checks.giveUp(check)\n",
    "",
    "peers/tarn.items"
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
    "Effect.interruptible(Effect.disconnect(UserFunction.effect(make)))",
    "Effect.interruptible(UserFunction.effect(make))",
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
    "    this.giveUp(creation)\n    pool.counted()\n",
    "    pool.counted()\n",
    "ResourcePool.timeout"
  ),
  mutation(
    "a creation of a pool with a destroy is cut off at once",
    "internal/Lifecycle.ts",
    "if (manager.destroy === undefined || creation.isOver) this.cutOff(creation)",
    "if (timers !== undefined) this.cutOff(creation)",
    "ResourcePool.shutdown"
  ),
  mutation(
    "a creation of a pool is interrupted in its uninterruptible region",
    "internal/Lifecycle.ts",
    "manager.destroy === undefined || Seam.isInterruptible(fiber!)",
    "manager.destroy === undefined || fiber !== undefined",
    "ResourcePool.timeout"
  ),
  mutation(
    "the timer of a creation of a pool comes back after its end",
    "internal/Lifecycle.ts",
    "    if (isOver) return\n",
    "",
    "ResourcePool.quiet"
  ),
  mutation(
    "a creation of a pool that cannot be interrupted is not looked at again",
    "internal/Lifecycle.ts",
    "if (next <= this.lookUntil) timers.set(deadline, next)",
    "if (next <= 0) timers.set(deadline, next)",
    "ResourcePool.shutdown"
  ),
  mutation(
    "what the functions of a pool open stays until the pool's scope closes",
    "internal/Making.ts",
    "Effect.provide(Effect.scoped(f(...args)), runtime.context)",
    "Effect.provide(f(...args), runtime.context)",
    "ResourcePool.manager"
  ),
  mutation(
    "a pool tells of a failed creation long after one that did not fail",
    "internal/Lifecycle.ts",
    "    if (pool.state.circuit.failures === 0) pool.lastCreationFailure = undefined\n",
    "",
    "ResourcePool.manager"
  ),
  mutation(
    "an interrupted creation of a pool loses what it has opened",
    "internal/Lifecycle.ts",
    "item.isMade ? Effect.succeed(item) : Effect.failCause(cause)",
    "Effect.failCause(cause)",
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
  ofCore(
    "what is added to the scope of an item of a pool after its end stays",
    "internal/LazyScope.ts",
    "    if (this.isOver) this.node.takeFinalizers(Exit.void)\n",
    "",
    "internal/LazyScope"
  ),
  mutation(
    "a pool lends an item that its registry has released",
    "internal/Pool.ts",
    "item.status === \"inUse\" && !item.isReleased && ",
    "item.status === \"inUse\" && ",
    "ResourcePool.registry"
  ),
  mutation(
    "a pool does not notice that its registry releases an item",
    "internal/Lifecycle.ts",
    "    if (item.guard !== undefined && !item.isReleased) return Effect.andThen(this.noticeRelease(item), released)\n",
    "",
    "ResourcePool.registry"
  ),
  mutation(
    "a pool lends what its registry has released before it was there",
    "internal/Lifecycle.ts",
    "        if (item.isReleased || isDead) {",
    "        if (isDead) {",
    "ResourcePool.registry"
  ),
  mutation(
    "a pool goes on after its registry has closed",
    "internal/Lifecycle.ts",
    "    if (isNews && this.isRefused(cause)) pool.onRegistryClosed()\n",
    "",
    "ResourcePool.registry"
  ),
  mutation(
    "a failed use of a pool's item is proof of its health",
    "internal/Pool.ts",
    "if (Exit.isFailure(exit)) item.doubts |= Doubt.suspect\n    else if",
    "if",
    "ResourcePool.distrust",
    "model/promises"
  ),
  mutation(
    "a suspect item of a pool is lent before others",
    "internal/PoolState.ts",
    "if ((item.doubts & Doubt.suspect) === 0) this.idle.push(item)",
    "if (item.idleSince === now) this.idle.push(item)",
    "ResourcePool.distrust"
  ),
  mutation(
    "borrowers of a pool wait for a validation that does not answer",
    "internal/PoolState.ts",
    "const validated = this.hasFoundUnfit || this.overdue > 0 ? 0 : this.checking",
    "const validated = this.checking",
    "ResourcePool.dead"
  ),
  mutation(
    "a full pool of dead items makes no room for a new one",
    "internal/PoolState.ts",
    "    if (idle.length > 0) this.removeIdle(idle[0]!, \"doubtful\")\n    else if",
    "    if",
    "ResourcePool.dead"
  ),
  mutation(
    "a new item of a pool that is unfit is no failed creation",
    "internal/PoolState.ts",
    "      if (isFresh) this.circuit.failed(now, random)\n",
    "",
    "ResourcePool.dead"
  ),
  mutation(
    "hung creations of a pool hold back all others",
    "internal/PoolState.ts",
    "this.active - this.slow < this.mostCreated",
    "this.active < this.mostCreated",
    "ResourcePool.dead",
    "internal/PoolState.property"
  ),
  mutation(
    "a pool keeps all its idle items alive at once",
    "internal/PoolState.ts",
    "Math.max(1, Math.floor(this.lasting / 4))",
    "Infinity",
    "ResourcePool.dead",
    "internal/PoolState"
  ),
  mutation(
    "a borrower of low priority waits for ever",
    "internal/WaitQueue.ts",
    "Math.min(bands - 1, band + Math.floor(",
    "Math.min(bands - 1, band + 0 * Math.floor(",
    "internal/WaitQueue",
    "ResourcePool.dead"
  ),
  mutation(
    "an item of a pool that is said to be bad while it is validated is lent",
    "internal/Pool.ts",
    "!item.isReleased && !isCondemned &&",
    "!item.isReleased &&",
    "model/promises"
  ),
  mutation(
    "what a pool was creating when everything was distrusted is lent",
    "internal/Lifecycle.ts",
    "    if (creation.isDistrusted) item.doubts |= Doubt.condemned\n",
    "",
    "ResourcePool.distrust"
  ),
  mutation(
    "a pool destroys its items in line with all others",
    "internal/Lifecycle.ts",
    "      item.guard!.cleanup,\n      \"AlreadyCleanedUp\",",
    "      Effect.flatMap(this.scheduled(item), ({ await: over }) => over),\n      \"AlreadyCleanedUp\",",
    "ResourcePool.distrust"
  ),
  mutation(
    "a pool with promises keeps the numbers that it has taken from their holders",
    "internal/Promises.ts",
    "      if (place === others) onTaken(borrowed.lease, () => forget(value, borrowed))\n",
    "",
    "ResourcePool.memory"
  ),
  mutation(
    "keyed pools find a pool that has to go by its key",
    "internal/Keyed.ts",
    "const remove = (entry: Entry<K, A, E>): void => {",
    "const remove = (gone: Entry<K, A, E>): void => {\n    const entry = { ...gone, hash: Hash.hash(gone.key) }",
    "ResourcePool.untellable"
  ),
  mutation(
    "an error that throws where it is looked at ends a creation of a pool",
    "internal/Lifecycle.ts",
    "UserFunction.call(() => Option.exists(Cause.failureOption(cause), isOurs), () => false)",
    "Option.exists(Cause.failureOption(cause), isOurs)",
    "ResourcePool.untellable"
  )
]
