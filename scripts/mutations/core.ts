/** `@patinox/core`. */
import { mutationsOf } from "./mutation.js"

export const core = mutationsOf("core", [
  {
    what: "a second cleanup reports that it cleaned up",
    breaks: "P1",
    at: "cleanupNow",
    find: "return run.isDone ? over :",
    replace: "return run.isDone ? Effect.void :",
    tests: ["ResourceGuard"]
  },
  {
    what: "a close does not wait for a cleanup that already runs",
    breaks: "P1",
    at: "finalizer",
    find: "const ended = endNow(",
    replace: "const ended = entry.run !== undefined ? Effect.void : endNow(",
    tests: ["ResourceGuard.closing"]
  },
  {
    what: "disarm leaves the finalizer in the scope",
    breaks: "P1",
    at: "ResourceIndex.remove",
    find: "Scopes.dropFinalizer(entry.scope, entry)",
    replace: "",
    tests: ["ResourceGuard.closing"]
  },
  {
    what: "a transfer to a closed scope does nothing",
    breaks: "P1",
    at: "Guard.transferTo",
    find: "return closed === undefined",
    replace: "return true",
    tests: ["ResourceGuard.closing"]
  },
  {
    what: "a request that a cleanup has claimed still runs",
    breaks: "P1",
    at: "Dispatcher.startSome",
    find: "if (request.state !== \"waiting\") continue",
    replace: "if (request.state === \"taken\") continue",
    tests: ["ResourceRegistry.queue"]
  },
  {
    what: "a resource that an event listener cleaned up is cleaned up again",
    breaks: "P1",
    at: "endNow",
    find: "if (entry.run === undefined) {\n    if (!entry.isUsable) return Effect.void",
    replace: "if (entry.run === undefined || entry.run.isDone) {",
    tests: ["ResourceRegistry.telling"]
  },
  {
    what: "nothing is forced before the deadline of a shutdown",
    breaks: "P2",
    at: "BulkCleanup.setTimers",
    find: "timers.set(this.forceAt, deadline - Recovery.forceMargin(deadline - startedAt))",
    replace: "",
    tests: ["ResourceRegistry.shutdown"]
  },
  {
    what: "a slow cleanup keeps its slot",
    breaks: "P2",
    at: "Registry.runSlow",
    find: "this.giveBackSlot(run)",
    replace: "",
    tests: ["ResourceRegistry.queue", "ResourceGuard.deadlock"]
  },
  {
    what: "a release that throws is not caught",
    breaks: "P2",
    at: "CleanupRun.attempt",
    find: "const release = UserFunction.effect(() => entry.release(entry.value, this.exit))",
    replace: "const release = entry.release(entry.value, this.exit)",
    tests: ["ResourceGuard.release"]
  },
  {
    what: "a scope forces nothing before its deadline",
    breaks: "P2",
    at: "ScopeClose.force",
    find: "for (const drive of this.drives) this.enqueue(drive)",
    replace: "",
    tests: ["ResourceScope.closing", "ResourceScope.faults"]
  },
  {
    what: "a finalizer that throws counts as one that succeeded",
    breaks: "P5",
    at: "FinalizerWorker.finalizing",
    find: "return Effect.succeed(Exit.die(defect))",
    replace: "return Effect.succeed(Exit.void)",
    tests: ["ResourceScope.faults"]
  },
  {
    what: "a fallback that hangs is waited for",
    breaks: "P3",
    at: "CleanupRun.fallBack",
    find: "if (this.phase === \"fallback\") this.schedule(this.phaseEnd = this.window.end)",
    replace: "if (this.phase === \"fallback\") this.schedule(this.phaseEnd = Infinity)",
    tests: ["ResourceGuard.recovery"]
  },
  {
    what: "a shutdown does not shorten the limit of a running cleanup",
    breaks: "P3",
    at: "BulkCleanup.limit",
    find: "entry.run?.limitTo(this.deadline)",
    replace: "",
    tests: ["ResourceRegistry.shutdown"]
  },
  {
    what: "a shutdown waits beyond its deadline",
    breaks: "P3",
    at: "BulkCleanup.setTimers",
    find: "timers.set(this.endAt, deadline)",
    replace: "",
    tests: ["ResourceGuard.acquiring"]
  },
  {
    what: "a wall clock that jumps moves the limits",
    breaks: "P3",
    at: "Timers.now",
    find: ".monotonicMillis(",
    replace: ".wallMillis(",
    tests: ["ResourceRegistry.clock"]
  },
  {
    what: "a borrower holds a cleanup back for ever",
    breaks: "P3",
    at: "CleanupRun.begin",
    find: "this.phaseEnd = Math.max(now, this.window.attemptsEnd - this.limits.attemptTimeout)",
    replace: "this.phaseEnd = Infinity",
    tests: ["ResourceGuard.release"]
  },
  {
    what: "a busy process ends a close before everything in it has started",
    breaks: "P2",
    at: "ScopeClose.endBy",
    find: "if (this.pumping && this.now() < until) return Turns.afterTurnOfLoop(this.base, () => this.endBy(until))",
    replace: "void until",
    tests: ["ResourceScope.busy"]
  },
  {
    what: "a busy process ends a shutdown before everything in it has started",
    breaks: "P2",
    at: "BulkCleanup.endBy",
    find: "(this.isForcing || this.isStarting) && timers.now() < until",
    replace: "timers.now() < until - 1_000",
    tests: ["ResourceScope.busy"]
  },
  {
    what: "a scope does not end at its deadline",
    breaks: "P3",
    at: "ScopeClose.endBy",
    find: "for (const drive of [...this.drives].reverse()) drive.end()",
    replace: "",
    tests: ["ResourceScope.closing", "ResourceScope.faults"]
  },
  {
    what: "a scope closed in a cleanup outlives the cleanup's limit",
    breaks: "P3",
    at: "ScopeClose.timeout",
    find: "limitOf(caller, startedAt) - startedAt",
    replace: "Infinity",
    tests: ["ResourceScope.closing", "ResourceScope.faults", "ResourceScope"]
  },
  {
    what: "a finalizer in a scope has no limit of its own",
    breaks: "P3",
    at: "FinalizerRun.arm",
    find: "Math.min(startedAt + entry.settings.timeout, close.deadline)",
    replace: "close.deadline",
    tests: ["ResourceScope.closing", "ResourceScope.faults", "ResourceScope"]
  },
  {
    what: "a more urgent cleanup does not overtake one that began to wait before it",
    breaks: "P4",
    at: "make",
    find: "if (first !== undefined && order(run, first) < 0) first = undefined",
    replace: "",
    tests: ["ResourceRegistry.queue"]
  },
  {
    what: "a batch schedules the oldest first",
    breaks: "P4",
    at: "BulkCleanup.start",
    find: "new Set([...entries].reverse())",
    replace: "new Set(entries)",
    tests: ["ResourceGuard"]
  },
  {
    what: "dependents are not waited for",
    breaks: "P4",
    at: "Registry.start",
    find: "run.waitFor(cascaded)",
    replace: "",
    tests: ["ResourceGuard.acquiring"]
  },
  {
    what: "a dependency does not wait for the acquire of its dependent",
    breaks: "P4",
    at: "link",
    find: "dependency.hold(entry)",
    replace: "",
    tests: ["ResourceGuard.acquiring"]
  },
  {
    what: "a cleanup of some resources forgets their dependents",
    breaks: "P4",
    at: "Registry.force",
    find: "if (dependent.isLive) all.add(dependent)",
    replace: "void dependent",
    tests: ["ResourceRegistry.shutdown"]
  },
  {
    what: "a scope runs first what was added first",
    breaks: "P4",
    at: "arrange",
    find: "const arranged = [...slots].reverse()",
    replace: "const arranged = [...slots]",
    tests: ["ResourceScope", "ResourceScope.equivalence"]
  },
  {
    what: "a scope forgets the priority of its guards",
    breaks: "P4",
    at: "arrange",
    find: ".sort((a, b) => band(b) - band(a))",
    replace: ".sort(() => 0)",
    tests: ["ResourceScope.closing", "ResourceScope"]
  },
  {
    what: "a failed fallback replaces the error of the release",
    breaks: "P5",
    at: "CleanupRun.fallBack",
    find: "(exit) => Exit.isSuccess(exit) ? this.end(\"recovered\") : this.giveUp()",
    replace: "(exit) => Exit.isSuccess(exit) ? this.end(\"recovered\") : this.attemptEnded(exit)",
    tests: ["ResourceGuard.recovery"]
  },
  {
    what: "onFailure \"die\" hides the failure of the program",
    breaks: "P5",
    at: "afterClose",
    find: "exit._tag === \"Success\" && run?.hasFailed === true",
    replace: "run?.hasFailed === true",
    tests: ["ResourceGuard.closing"]
  },
  {
    what: "a failed cleanup hides the error of the use",
    breaks: "P5",
    at: "afterUse",
    find: "if (Exit.isFailure(exit)) return exit",
    replace: "",
    tests: ["ResourceGuard"]
  },
  {
    what: "a strategy that throws breaks the cleanup",
    breaks: "P5",
    at: "CleanupRun.failed",
    find: "() => \"Fail\"",
    replace: "(defect) => {\n        throw defect\n      }",
    tests: ["ResourceGuard.recovery"]
  },
  {
    what: "disarmed resources are not counted",
    breaks: "P6",
    at: "Registry.disarm",
    find: "this.move(entry, \"disarmed\")",
    replace: "entry.state = \"disarmed\"",
    tests: ["ResourceRegistry.queue", "rust-original"]
  },
  {
    what: "a dead letter retried with success stays failed",
    breaks: "P6",
    at: "Registry.retryEnded",
    find: "accounts.failed--\n      accounts.recovered++",
    replace: "accounts.recovered++",
    tests: ["ResourceGuard"]
  },
  {
    what: "a cancelled acquire stays among those that acquire",
    breaks: "P6",
    at: "Registry.cancel",
    find: "this.acquiring.delete(entry)",
    replace: "",
    tests: ["ResourceGuard.acquiring"]
  },
  {
    what: "an abandoned cleanup that finishes late is not marked",
    breaks: "P6",
    at: "Registry.runFinishedLate",
    find: "this.deadLetters.finishedLate(run.entry)",
    replace: "",
    tests: ["ResourceGuard.recovery"]
  },
  {
    what: "a resource without a turn before the deadline is missing in the report",
    breaks: "P6",
    at: "BulkCleanup.report",
    find: "[...this.pending, ...this.left].map(",
    replace: "[...this.pending].map(",
    tests: ["ResourceRegistry.turns"]
  },
  {
    what: "a timer outlives its cleanup",
    breaks: "P7",
    at: "CleanupRun.end",
    find: "this.host.timers.clear(this)",
    replace: "",
    tests: ["ResourceRegistry.quiet"]
  },
  {
    what: "the leak watch keeps its timer when nothing is live",
    breaks: "P7",
    at: "LeakDetector.gone",
    find: "if (this.registry.entries.size === 0) this.stop()",
    replace: "",
    tests: ["ResourceRegistry.quiet"]
  },
  {
    what: "a runtime remembers runs that have ended",
    breaks: "P7",
    at: "RunningFibers.add",
    find: "this.runs.delete(number)",
    replace: "",
    tests: ["ResourceRuntime.quiet"]
  },
  {
    what: "a cleanup that waits for another keeps its slot",
    breaks: "P8",
    at: "awaitEnd",
    find: "giveWay(run)",
    replace: "",
    tests: ["ResourceGuard", "ResourceGuard.deadlock"]
  },
  {
    what: "circles of waiting cleanups are not seen",
    breaks: "P8",
    at: "reaches",
    find: "if (isFound(next)) return true",
    replace: "",
    tests: ["ResourceGuard.deadlock"]
  },
  {
    what: "a cleanup waits for a borrow by the fiber that asked for it",
    breaks: "P8",
    at: "CleanupRun.awaitedHolder",
    find: "if (fiberId === Fibers.numberOf(this.callerId)) continue",
    replace: "",
    tests: ["ResourceGuard.release"]
  },
  {
    what: "the marker of an ended cleanup still counts",
    breaks: "P8",
    at: "callerOf",
    find: "run: run === undefined || run.isDone ? undefined : run",
    replace: "run",
    tests: ["ResourceGuard.acquiring"]
  },
  {
    what: "a cleanup waits for the close of a scope that waits for it",
    breaks: "P8",
    at: "CloseWaiters.isOverFor",
    find: "if ((!isCloser || caller.run !== undefined) && waitsFor(this.entry.run!, caller)) return true",
    replace: "",
    tests: ["ResourceScope.closing"]
  },
  {
    what: "a fiber that closes its own scope waits for itself",
    breaks: "P8",
    at: "CloseWaiters.endFiber",
    find: "if (Fibers.endsFiber(finalizer, this.closer)) return Effect.void",
    replace: "",
    tests: ["ResourceScope.closing", "ResourceScope.equivalence", "ResourceScope"]
  },
  {
    what: "a release waits for the cleanup that waits for it",
    breaks: "P8",
    at: "startFor",
    find: "block(caller.run, entry)\n  start()",
    replace: "start()",
    tests: ["ResourceGuard.deadlock"]
  },
  {
    what: "a monitor that hangs holds up the events after it",
    breaks: "P9",
    at: "MonitorQueue.deliver",
    find: "this.timers.set(this.limit, this.timers.now() + listenerLimit)",
    replace: "",
    tests: ["ResourceMonitor"]
  },
  {
    what: "a slow subscriber of the registry loses its newest events and never ends",
    breaks: "P9",
    at: "offerSliding",
    find: "if (!queue.unsafeOffer(value)) Effect.runSyncExit(Queue.offer(queue, value))",
    replace: "queue.unsafeOffer(value)",
    tests: ["internal/kernel/EventHub"]
  },
  {
    what: "the span of a cleanup is not linked to that of its acquire",
    breaks: "P9",
    at: "cleanup",
    find: "links: [Fibers.linkTo(entry.acquireSpan!)],",
    replace: "links: [],",
    tests: ["ResourceGuard.tracing"]
  },
  {
    what: "a logger that throws keeps a registry from closing",
    breaks: "P9",
    at: "quietly",
    find: "Fibers.forkNow(Effect.exit(line), Refs.originOf(fiber))\n    return Effect.void",
    replace: "return Fibers.poll(fiber as never) ?? line",
    tests: ["ResourceRegistry.telling"]
  },
  {
    what: "retries without a pause grow the stack",
    breaks: "fault",
    at: "CleanupRun.fork",
    find: "return Fibers.nested(onEnd, endOf(done))",
    replace: "return onEnd(endOf(done))",
    tests: ["ResourceGuard.acquiring", "ResourceGuard.recovery"]
  },
  {
    what: "what a user's function throws reaches Effect's run loop",
    breaks: "fault",
    at: "effect",
    find: "Effect.suspend(() => call(f, dieOf))",
    replace: "Effect.suspend(f)",
    tests: ["pool:ResourcePool.functions"]
  },
  {
    what: "a value that Effect's run loop cannot inspect ends a fiber without an exit",
    breaks: "fault",
    at: "startIn",
    find: "fiber.resume(Effect.failCause(Cause.die(thrown)))",
    replace: "throw thrown",
    tests: ["ResourceGuard.untellable"]
  },
  {
    what: "a disarm that is interrupted loses the value",
    breaks: "fault",
    at: "Guard.disarm",
    find:
      "return Fibers.syncOrElse(() => entry.isUsable, () => this.#registry.disarm(entry), () => Effect.fail(gone(entry)))",
    replace: "return this.#usable((_, it) => Effect.succeed(this.#registry.disarm(it)))",
    tests: ["ResourceGuard.atomicity"]
  },
  {
    what: "a handle takes back a request that others share",
    breaks: "fault",
    at: "Registry.unschedule",
    find: "if (entry.request !== request || --request.asks > 0) return false",
    replace: "if (entry.request !== request) return false",
    tests: ["ResourceRegistry.requests"]
  },
  {
    what: "a guard waits for the scope that has come to wait for it",
    breaks: "fault",
    at: "ScopeClose.startGuard",
    find: "if (entry.run !== undefined) lookAgain(entry.run)",
    replace: "",
    tests: ["ResourceGuard.waits"]
  },
  {
    what: "a layer in a scope is released by the first of its owners",
    breaks: "fault",
    at: "Memo.release",
    find: "if (--this.observers > 0) return undefined",
    replace: "this.observers--",
    tests: ["ResourceScope.layers"]
  },
  {
    what: "a finalizer runs under a fiber id of its own",
    breaks: "fault",
    at: "FinalizerWorker.start",
    find: ", { id: this.workerId }",
    replace: "",
    tests: ["ResourceScope.identity"]
  },
  {
    what: "a fiber waits for the close whose finalizer interrupts it",
    breaks: "fault",
    at: "CloseWaiters.isOverFor",
    find: "if (id !== undefined && Fibers.isInterruptedBy(fiber, id)) return true",
    replace: "void id",
    tests: ["ResourceScope.closing"]
  },
  {
    what: "a registry in a scope gets the limit of a finalizer",
    breaks: "fault",
    at: "FinalizerWorker.run",
    find: "hasLimit(slot[1]) ? unlimited : host.options.finalizer",
    replace: "host.options.finalizer",
    tests: ["ResourceRegistry.limits"]
  },
  {
    what: "a clock that cannot sleep is asked again and again",
    breaks: "fault",
    at: "startTimer",
    find: "if (isEarly || !isReadable(clock)) return onMachine(passed)",
    replace: "",
    tests: ["ResourceRegistry.clocks.property"]
  },
  {
    what: "a thousand finalizers leave no turn to other fibers",
    breaks: "fault",
    at: "FinalizerWorker.takeNext",
    find: "turn.isOver() ? Effect.andThen(turn.next, finalize) : finalize",
    replace: "finalize",
    tests: ["ResourceRegistry.turns"]
  },
  {
    what: "a refreshable releases a value that is still in use",
    breaks: "fault",
    at: "Source.#retire",
    find: "if (held.isReplaced && held.users === 0)",
    replace: "if (held.isReplaced)",
    tests: ["ResourceGuard.refreshable.using"]
  },
  {
    what: "a refresh releases what depends on the old value",
    breaks: "fault",
    at: "Source.#replace",
    find: "if (previous.entry.isUsable) handOnDependents(previous.entry, next.entry)",
    replace: "",
    tests: ["ResourceGuard.refreshable.using"]
  },
  {
    what: "a refresh ends with the first caller that gives up",
    breaks: "fault",
    at: "Source.#refreshed",
    find: "=== true && flight.callers.size === 0)",
    replace: "=== true)",
    tests: ["ResourceGuard.refreshable"]
  },
  {
    what: "a scoped effect of another library cannot be interrupted",
    breaks: "fault",
    at: "make",
    find: "inScope(restore(effect), scope)",
    replace: "inScope(effect, scope)",
    tests: ["ResourceGuard.fromScoped"]
  },
  {
    what: "a refresh makes a circle of dependencies",
    breaks: "fault",
    at: "reserve",
    find: "if (around !== undefined) return unavailable(entry, around.id, \"circular\")",
    replace: "",
    tests: ["ResourceGuard.circles"]
  },
  {
    what: "fibers of a runtime use all the time of its dispose",
    breaks: "fault",
    at: "RuntimeDisposal.fiberLimit",
    find: "Math.min(options.finalizer.timeout, Math.round((deadline - startedAt) / 2))",
    replace: "Math.min(options.finalizer.timeout, deadline - startedAt)",
    tests: ["ResourceRuntime.dispose"]
  },
  {
    what: "the close of a scope outlives the dispose of its runtime",
    breaks: "fault",
    at: "RuntimeDisposal.closeScope",
    find: "drive?.host.limitTo(close.deadline)",
    replace: "",
    tests: ["ResourceRuntime.dispose"]
  },
  {
    what: "an unscoped guard that waits for its cleanup is reported as leaked",
    breaks: "fault",
    at: "collected",
    find: "entry.state !== \"inUse\"",
    replace: "!entry.isUsable",
    tests: ["ResourceGuard.unscoped"]
  }
])
