/** `@patinox/cache`. */
import { mutationsOf } from "./mutation.js"

export const cache = mutationsOf("cache", [
  {
    what: "a release that succeeded runs again when closing its scope failed",
    breaks: "P1",
    at: "Releaser.byHand",
    find: "release === undefined || lease.hasReleased ?",
    replace: "release === undefined ?",
    tests: ["ResourceCache.boundary"]
  },
  {
    what: "a load without callers has no limit",
    breaks: "P3",
    at: "LoadLimits.started",
    find: "this.set(attempt, load.startedAt + this.context.options.acquireTimeout, () => this.uncalled(load))",
    replace: "",
    tests: ["ResourceCache.stale"]
  },
  {
    what: "a release after the registry's refusal has no limit",
    breaks: "P3",
    at: "Releaser.unregistered",
    find: "Effect.interruptible,\n      Effect.timeout(Duration.millis(releaseTimeout))",
    replace: "Effect.interruptible",
    tests: ["ResourceCache.release"]
  },
  {
    what: "the close of a cache has more time than the scope that it is part of",
    breaks: "P3",
    at: "closing",
    find: "if (isWithScope) closing.hasten(leftMillis(fiber, servicesOf(runtime) as Context.Context<never>))",
    replace: "",
    tests: ["ResourceCache.closing"]
  },
  {
    what: "a caller that was given a value keeps its timer",
    breaks: "P7",
    at: "Requester.settle",
    find: "this.context.timers.clear(this)",
    replace: "",
    tests: ["ResourceCache.quiet"]
  },
  {
    what: "the close of a cache leaves its timer behind",
    breaks: "P7",
    at: "CacheClose.quietBy",
    find: "timers.clear(deadline)",
    replace: "",
    tests: ["ResourceCache.quiet"]
  },
  {
    what: "a load that asked for another is still marked as waiting for it",
    breaks: "P8",
    at: "Requester.start",
    find: "within?.waits(load, -1)\n        this.leave(load)",
    replace: "this.leave(load)",
    tests: ["ResourceCache.sharing"]
  },
  {
    what: "a cache that is closed from its own load waits for that load",
    breaks: "P8",
    at: "CacheClose.join",
    find: "if (isOurs) this.own.add(item)",
    replace: "",
    tests: ["ResourceCache.closing.inside"]
  },
  {
    what: "a circle of loads that wait for room is not seen",
    breaks: "P8",
    at: "Requester.start",
    find: "if (RoomCircle.isClosedBy(this)) return",
    replace: "if (RoomCircle.isClosedBy(this) && limit < 0) return",
    tests: ["ResourceCache.lookups"]
  },
  {
    what: "a caller's timeout emits no event",
    breaks: "P9",
    at: "Refusals.timedOut",
    find: "this.reporter.emit(() => ({ _tag: \"TimedOut\", error }))",
    replace: "",
    tests: ["ResourceCache.events"]
  },
  {
    what: "the gauges of a cache are those of the last of its name",
    breaks: "P9",
    at: "CacheMetrics.updateGauges",
    find: "totals.entries += entriesNow - this.lastEntries",
    replace: "totals.entries = entriesNow",
    tests: ["ResourceCache.events"]
  },
  {
    what: "the report of a close leaves out failed releases",
    breaks: "P9",
    at: "CacheClose.start",
    find: "if (error !== undefined) this.failed.push({ id: entry.lease!.id, key: entry.key, error })",
    replace: "",
    tests: ["ResourceCache.closing"]
  },
  {
    what: "a cache trusts a policy that evicts an entry it does not have",
    breaks: "fault",
    at: "GuardedPolicy.victim",
    find: "if (victim === undefined || this.entries.get(victim) === false) return victim",
    replace: "return victim",
    tests: ["ResourceCache.wrongPolicy"]
  },
  {
    what: "a value that arrives as its caller is interrupted stays in use",
    breaks: "fault",
    at: "Requester.leave",
    find: "else state.leave(entry)",
    replace: "",
    tests: ["ResourceCache.sharing"]
  },
  {
    what: "a value is given whose weigher failed",
    breaks: "fault",
    at: "Cache.useEntry",
    find: "if (lease === undefined || lease.isSpoiled) return this.failure(entry)",
    replace: "if (lease === undefined) return this.failure(entry)",
    tests: ["ResourceCache.weights"]
  },
  {
    what: "a removal listener that ignores interruption keeps its value",
    breaks: "fault",
    at: "RemovalListener.listen",
    find: "disconnect,",
    replace: "",
    tests: ["ResourceCache.listener"]
  },
  {
    what: "a load whose value must be released is interrupted midway",
    breaks: "fault",
    at: "LoadLimits.abort",
    find: "if (manager.release === undefined) return this.interrupt",
    replace: "return this.interrupt",
    tests: ["ResourceCache.interruption", "ResourceCache.closing"]
  },
  {
    what: "a value is lost when its load is interrupted in its last step",
    breaks: "fault",
    at: "Loader.run",
    find: "this.ended(attempt, found ?? exit, scope)",
    replace: "this.ended(attempt, exit, scope)",
    tests: ["ResourceCache.interruption"]
  },
  {
    what: "an aborted load is kept as a failure",
    breaks: "fault",
    at: "Loader.failed",
    find: " && !keepsOld && !isEnded)",
    replace: " && !keepsOld)",
    tests: ["ResourceCache.sharing"]
  },
  {
    what: "a cached value is released with the FiberRefs of its first caller",
    breaks: "fault",
    at: "Registrar.register",
    find: "shareRefs(fiber, originWithin(runtime))",
    replace: "",
    tests: ["ResourceCache.sharing", "ResourceCache.memory"]
  },
  {
    what: "the scope of a value stays open when its release failed",
    breaks: "fault",
    at: "Releaser.leftovers",
    find: "return Exit.isSuccess(exit) ? Effect.void : Effect.ignore",
    replace: "return true ? Effect.void : Effect.ignore",
    tests: ["ResourceCache.release"]
  },
  {
    what: "the close of a cache does not wait for others that share a value with its own fiber",
    breaks: "fault",
    at: "CacheClose.isOwn",
    find: "(borrows.length > 0 && borrows.every((borrow) => this.own.has(borrow)))",
    replace: "borrows.some((borrow) => this.own.has(borrow))",
    tests: ["ResourceCache.closing"]
  },
  {
    what: "a load that has ended keeps the value that it replaced",
    breaks: "fault",
    at: "workingOn",
    find: "Effect.sync(() => work.end())",
    replace: "Effect.void",
    tests: ["ResourceCache.memory"]
  },
  {
    what: "a value is given to a scope that has closed meanwhile",
    breaks: "fault",
    at: "Cache.keep",
    find: "borrow.isOver && wasOpen ? Effect.interrupt : Effect.succeed(lease.value)",
    replace: "Effect.succeed(lease.value)",
    tests: ["ResourceCache"]
  },
  {
    what: "a load gives a value that is being released",
    breaks: "fault",
    at: "Loader.ended",
    find: "if (this.isKnown(exit.value) && state.entries.leaving(exit.value) !== undefined) {",
    replace: "if (this.isKnown(exit.value) && state.entries.leaving(exit.value) === there) {",
    tests: ["ResourceCache.boundary"]
  },
  {
    what: "a load that does not stop keeps its key and its place",
    breaks: "fault",
    at: "LoadLimits.abandon",
    find: "this.state.abandoned(attempt.load, now)",
    replace: "",
    tests: ["ResourceCache.lookups"]
  },
  {
    what: "callers that come one after the other share a hung load for ever",
    breaks: "fault",
    at: "Requester.onDue",
    find: "limits.overdue(load)",
    replace: "",
    tests: ["ResourceCache.lookups"]
  },
  {
    what: "what a user's function opens for itself stays open",
    breaks: "fault",
    at: "makeManager",
    find: "Effect.scoped(UserFunction.effect(() => f(...args)))",
    replace: "UserFunction.effect(() => f(...args))",
    tests: ["ResourceCache.boundary"]
  },
  {
    what: "the close of a large cache releases everything in one turn",
    breaks: "fault",
    at: "CacheClose.start",
    find: "state.closeSome(firstTurn)",
    replace: "state.closeSome(Infinity)",
    tests: ["ResourceCache.several"]
  }
])
