/** `@patinox/pool`. */
import { mutationsOf } from "./mutation.js"

export const pool = mutationsOf("pool", [
  {
    what: "a reclaimed lease is returned a second time",
    breaks: "P1",
    at: "Pool.giveBack",
    find: "if (lease.isOver) return undefined",
    replace: "",
    tests: ["ResourcePool.leak"]
  },
  {
    what: "a check that ignores its interruption is waited for",
    breaks: "P3",
    at: "bounded",
    find: "Effect.interruptible(disconnect(UserFunction.effect(make)))",
    replace: "Effect.interruptible(UserFunction.effect(make))",
    tests: ["ResourcePool.timeout"]
  },
  {
    what: "a creation that takes too long is not interrupted",
    breaks: "P3",
    at: "ItemLifecycle.timedOut",
    find: "this.cancel(creation)",
    replace: "",
    tests: ["ResourcePool.timeout"]
  },
  {
    what: "each wait of a borrow has a deadline of its own",
    breaks: "P3",
    at: "Borrower.wait",
    find: "Math.min(slowAt, this.deadline)",
    replace: "Math.min(slowAt, now + this.limit)",
    tests: ["ResourcePool.timeout"]
  },
  {
    what: "a drain has more time than the scope that it is part of",
    breaks: "P3",
    at: "ownTime",
    find: "Math.min(timeout, leftMillis(fiber, servicesOf(runtime)))",
    replace: "timeout",
    tests: ["ResourcePool.shutdown", "ResourcePool.keyed"]
  },
  {
    what: "a drain reclaims nothing from its holders",
    breaks: "P3",
    at: "PoolDrain.finish",
    find: "this.parts.reclaim(lease)",
    replace: "",
    tests: ["ResourcePool.shutdown"]
  },
  {
    what: "a drain waits for a creation that has no borrower left",
    breaks: "P3",
    at: "PoolDrain.quietBy",
    find: "else if (state.waiting.size === 0) this.cancelWork()",
    replace: "",
    tests: ["ResourcePool.shutdown"]
  },
  {
    what: "an interrupted borrower keeps its timer",
    breaks: "P7",
    at: "Borrower.stopWaiting",
    find: "timers.clear(this)",
    replace: "",
    tests: ["ResourcePool.quiet"]
  },
  {
    what: "a drained pool still watches its leases",
    breaks: "P7",
    at: "LeaseTracker.stop",
    find: "this.timers.clear(this.deadline)",
    replace: "",
    tests: ["ResourcePool.quiet"]
  },
  {
    what: "a drain waits for the items that its caller holds",
    breaks: "P8",
    at: "PoolDrain.isQuiet",
    find: "inUse === this.held",
    replace: "inUse === 0",
    tests: ["ResourcePool.deadlock"]
  },
  {
    what: "a drain reclaims items from its own caller",
    breaks: "P8",
    at: "PoolDrain.finish",
    find: "if (this.own.has(lease) && !lease.isScoped) continue",
    replace: "",
    tests: ["ResourcePool.deadlock"]
  },
  {
    what: "the end of a suspected leak is not reported",
    breaks: "P9",
    at: "Pool.giveBack",
    find: "if (lease.isSuspected) this.context.reporter.leakResolved(lease)",
    replace: "",
    tests: ["ResourcePool.leak"]
  },
  {
    what: "the events of a pool do not end with it",
    breaks: "P9",
    at: "PoolReporter.hub",
    find: "new EventHub<PoolEvent>(({ _tag }) => _tag === \"Closed\")",
    replace: "new EventHub<PoolEvent>(() => false)",
    tests: ["ResourcePool.events"]
  },
  {
    what: "the gauges of a pool do not follow its state",
    breaks: "P9",
    at: "Pool.changed",
    find: "metrics.updateGauges(state.inUse, state.idle.length, state.waiting.size)",
    replace: "",
    tests: ["ResourcePool.events"]
  },
  {
    what: "an item under validation stays when its borrower is interrupted",
    breaks: "fault",
    at: "Borrower.stopWaiting",
    find: "if (check !== undefined) hooks.cancel(check)",
    replace: "",
    tests: ["peers/tarn.items"]
  },
  {
    what: "the return of an item is interrupted while it is recycled",
    breaks: "fault",
    at: "ItemHooks.recycle",
    find: "Effect.flatMap(Effect.forkDaemon(recycling), Fiber.join)",
    replace: "recycling",
    tests: ["ResourcePool.interruption"]
  },
  {
    what: "an interrupted creation loses what it has opened",
    breaks: "fault",
    at: "ItemLifecycle.guard",
    find: "item.isMade ? Effect.succeed(item) : Effect.failCause(cause)",
    replace: "Effect.failCause(cause)",
    tests: ["ResourcePool.timeout"]
  },
  {
    what: "a failed creation leaves open what it has opened",
    breaks: "fault",
    at: "ItemLifecycle.failed",
    find: "const leavesSomething = !scope.isEmpty",
    replace: "const leavesSomething = false",
    tests: ["ResourcePool.manager"]
  },
  {
    what: "a pool lends an item that its registry has released",
    breaks: "fault",
    at: "PoolState.isLendable",
    find: "item.status === \"inUse\" && !item.isReleased &&",
    replace: "item.status === \"inUse\" &&",
    tests: ["ResourcePool.registry"]
  },
  {
    what: "a pool does not notice that its registry releases an item",
    breaks: "fault",
    at: "ItemLifecycle.releasing",
    find: "if (item.guard !== undefined && !item.isReleased) return Effect.andThen(this.noticeRelease(item), released)",
    replace: "",
    tests: ["ResourcePool.registry"]
  },
  {
    what: "a failed use counts as proof of an item's health",
    breaks: "fault",
    at: "Pool.giveBack",
    find: "if (Exit.isFailure(exit)) item.doubts |= Doubt.suspect\n    else if",
    replace: "if",
    tests: ["ResourcePool.distrust", "model/promises"]
  },
  {
    what: "a pool lends an item whose creation ran when all were distrusted",
    breaks: "fault",
    at: "ItemLifecycle.succeeded",
    find: "if (creation.isDistrusted) item.doubts |= Doubt.condemned",
    replace: "",
    tests: ["ResourcePool.distrust"]
  },
  {
    what: "a pool destroys its items in the registry's queue",
    breaks: "fault",
    at: "ItemLifecycle.destroy",
    find: "item.guard!.cleanup,",
    replace: "Effect.flatMap(this.scheduled(item), ({ await: over }) => over),",
    tests: ["ResourcePool.distrust"]
  },
  {
    what: "an error that cannot be inspected ends a creation without an outcome",
    breaks: "fault",
    at: "ItemLifecycle.isRefused",
    find: "UserFunction.call(() => Option.exists(Cause.failureOption(cause), isOurs), () => false)",
    replace: "Option.exists(Cause.failureOption(cause), isOurs)",
    tests: ["ResourcePool.untellable"]
  },
  {
    what: "a borrower that is served as it is interrupted keeps its item",
    breaks: "fault",
    at: "Borrower.stopWaiting",
    find: "else state.giveBack(item, timers.now())",
    replace: "",
    tests: ["ResourcePool.interruption"]
  },
  {
    what: "a pool keeps an item when invalidateWhen throws",
    breaks: "fault",
    at: "Pool.condemns",
    find: "UserFunction.call(() => invalidateWhen(exit.cause), () => true)",
    replace: "UserFunction.call(() => invalidateWhen(exit.cause), () => false)",
    tests: ["ResourcePool.manager"]
  },
  {
    what: "the pool of a key is drained while it is used",
    breaks: "fault",
    at: "makeKeyed",
    find: "timers.clear(entry.idle)",
    replace: "",
    tests: ["ResourcePool.keyed"]
  },
  {
    what: "the pool of a key that is wanted again goes on being emptied",
    breaks: "fault",
    at: "makeKeyed",
    find: "entry.stopEmptying?.()",
    replace: "",
    tests: ["ResourcePool.keyed"]
  },
  {
    what: "an item is lent to a scope that has closed meanwhile",
    breaks: "fault",
    at: "Pool.lease",
    find: "lease.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease)",
    replace: "Effect.succeed(lease)",
    tests: ["ResourcePool"]
  },
  {
    what: "each call of drain starts a drain of its own",
    breaks: "fault",
    at: "Pool.drain",
    find: "if (this.drainage !== undefined) {",
    replace: "if (this.drainage !== undefined && options.timeout < 0) {",
    tests: ["ResourcePool.shutdown"]
  }
])
