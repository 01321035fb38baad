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
    "    state.createStuck(timers.now(), this.random())\n    this.giveUp(creation)\n",
    "    state.createStuck(timers.now(), this.random())\n",
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
    "internal/Pool.ts",
    "    if (!isLate) this.lastCreationFailure = undefined\n",
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
    "        if (item.isReleased) {",
    "        if (false) {",
    "ResourcePool.registry"
  ),
  mutation(
    "a pool goes on after its registry has closed",
    "internal/Lifecycle.ts",
    "      if (this.isRefused(cause)) pool.onRegistryClosed()\n",
    "",
    "ResourcePool.registry"
  )
]
