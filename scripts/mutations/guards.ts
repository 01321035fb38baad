/** Guards, the registry and recovery. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("core")
const kernelMutation = mutationsOf("core", "pool")

export const guards = [
  // P1 exactly once
  mutation(
    "a second cleanup is told that it cleaned up",
    "ResourceRegistry.ts",
    "return run.isDone ? over : ",
    "return run.isDone ? Effect.void : ",
    "ResourceGuard"
  ),
  mutation(
    "a close does not wait for a cleanup that runs",
    "internal/Acquire.ts",
    "      const ended = endNow(registry, entry, \"scope\", exit, closer ?? askerOf(fiber))\n",
    "      const ended = entry.run === undefined\n        ? endNow(registry, entry, \"scope\", exit, closer ?? askerOf(fiber))\n        : Effect.void\n",
    "ResourceGuard.closing"
  ),
  mutation(
    "an attempt that did not stop is tried again beside itself",
    "internal/Recovery.ts",
    "if (strategy === \"Retry\" && stopped)",
    "if (strategy === \"Retry\")",
    "ResourceGuard.recovery",
    "internal/Recovery"
  ),
  mutation(
    "disarm leaves the finalizer in the scope",
    "internal/Registry.ts",
    "      Seam.dropFinalizer(entry.scope, entry)\n      entry.scope = undefined",
    "      entry.scope = undefined",
    "ResourceGuard.closing"
  ),
  mutation(
    "a transferred guard stays in its old scope",
    "internal/Acquire.ts",
    "  if (entry.scope !== undefined) Seam.dropFinalizer(entry.scope, entry)\n",
    "",
    "ResourceGuard.closing"
  ),
  mutation(
    "a transfer to a closed scope does nothing",
    "ResourceGuard.ts",
    "      return closed === undefined\n        ? Effect.void",
    "      return true\n        ? Effect.void",
    "ResourceGuard.closing"
  ),
  mutation(
    "a claimed request still runs",
    "internal/Dispatcher.ts",
    "      if (request.state !== \"waiting\") continue",
    "      if (request.state === \"taken\") continue",
    "ResourceRegistry.queue"
  ),
  // P2 always attempted
  mutation(
    "nothing is forced before the deadline",
    "internal/Batch.ts",
    "    timers.set(this.forceAt, deadline - Recovery.forceMargin(deadline - startedAt))\n",
    "",
    "ResourceRegistry.shutdown"
  ),
  mutation(
    "what is forced early is forced at the deadline only",
    "internal/Recovery.ts",
    "Math.min(5_000, timeout * 0.2)",
    "0",
    "ResourceRegistry.shutdown",
    "internal/Recovery"
  ),
  mutation(
    "a forced cleanup is not reported as forced",
    "internal/Batch.ts",
    "        run.forced = true\n",
    "",
    "ResourceRegistry.shutdown"
  ),
  mutation(
    "a slow cleanup keeps its slot",
    "internal/Registry.ts",
    "    this.notify(\"Slow\", run.entry, { runMillis: this.timers.now() - run.requestedAt })\n    this.giveBackSlot(run)",
    "    this.notify(\"Slow\", run.entry, { runMillis: this.timers.now() - run.requestedAt })",
    "ResourceRegistry.queue",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "a release that throws is not caught",
    "internal/CleanupRun.ts",
    "const release = UserFunction.effect(() => entry.release(entry.value, this.exit))",
    "const release = entry.release(entry.value, this.exit)",
    "ResourceGuard.release"
  ),
  mutation(
    "a chain of dependents, or of retries without a pause, grows the stack",
    "internal/CleanupRun.ts",
    "return Seam.nested(onEnd, endOf(done))",
    "return onEnd(endOf(done))",
    "ResourceGuard.acquiring",
    "ResourceGuard.recovery"
  ),
  // P3 bounded
  mutation(
    "an attempt has no limit of its own",
    "internal/Recovery.ts",
    "  Math.min(now + limits.attemptTimeout, current.attemptsEnd)",
    "  current.attemptsEnd",
    "ResourceGuard.recovery"
  ),
  mutation(
    "a cleanup may pass its limit for the sake of a retry",
    "internal/Recovery.ts",
    "delay !== undefined && now + delay < current.attemptsEnd",
    "delay !== undefined",
    "ResourceGuard.recovery",
    "internal/Recovery"
  ),
  mutation(
    "the fallback gets no share of the time",
    "internal/Recovery.ts",
    "return { end, attemptsEnd: end - share }",
    "return { end, attemptsEnd: end }",
    "ResourceGuard.recovery",
    "internal/Recovery"
  ),
  mutation(
    "a fallback that hangs is waited for",
    "internal/CleanupRun.ts",
    "    if (this.phase === \"fallback\") this.schedule(this.phaseEnd = this.window.end)",
    "    if (this.phase === \"fallback\") this.schedule(this.phaseEnd = Infinity)",
    "ResourceGuard.recovery"
  ),
  mutation(
    "a shutdown does not cut the limit of what runs",
    "internal/Batch.ts",
    "    entry.run?.limitTo(this.deadline)\n",
    "",
    "ResourceRegistry.shutdown"
  ),
  mutation(
    "a shutdown waits beyond its deadline",
    "internal/Batch.ts",
    "    timers.set(this.endAt, deadline)\n",
    "",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "a clock that jumps moves the limits",
    "internal/Timers.ts",
    "    return Seam.monotonicMillis(this.clock)",
    "    return Seam.wallMillis(this.clock)",
    "ResourceRegistry.clock"
  ),
  mutation(
    "borrowers may hold a cleanup for ever",
    "internal/CleanupRun.ts",
    "          this.phaseEnd = Math.max(now, this.window.attemptsEnd - this.limits.attemptTimeout)",
    "          this.phaseEnd = Infinity",
    "ResourceGuard.release"
  ),
  mutation(
    "an abandoned cleanup is said to have failed",
    "internal/Recovery.ts",
    "attempt === \"running\" || fallbackRuns ? \"abandoned\" : \"failed\"",
    "\"failed\"",
    "ResourceGuard.recovery",
    "internal/Recovery"
  ),
  // P4 ordered
  mutation(
    "low priorities run first",
    "internal/CleanupQueue.ts",
    "a.band > b.band ? -1 : 1",
    "a.band > b.band ? 1 : -1",
    "ResourceRegistry.queue",
    "internal/CleanupQueue"
  ),
  mutation(
    "equals run last in, first out",
    "internal/CleanupQueue.ts",
    "a.sequence < b.sequence",
    "a.sequence > b.sequence",
    "ResourceRegistry.queue"
  ),
  mutation(
    "a more urgent one does not overtake what began before it came",
    "internal/CleanupQueue.ts",
    "      if (first !== undefined && order(run, first) < 0) first = undefined\n",
    "",
    "ResourceRegistry.queue"
  ),
  mutation(
    "a batch schedules the oldest first",
    "internal/Batch.ts",
    "new Set([...entries].reverse())",
    "new Set(entries)",
    "ResourceGuard"
  ),
  mutation(
    "dependents are not waited for",
    "internal/Registry.ts",
    "          run.waitFor(cascaded)\n",
    "",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "a dependent that is being cleaned up already is not waited for",
    "internal/Registry.ts",
    "          startAfter(run, dependent.run)\n",
    "          void 0\n",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "a dependency does not wait for the acquire of its dependent",
    "internal/Registry.ts",
    "      dependency.hold(entry)\n",
    "",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "a cleanup of some forgets their dependents",
    "internal/Registry.ts",
    "if (dependent.isLive) all.add(dependent)",
    "void dependent",
    "ResourceRegistry.shutdown"
  ),
  mutation(
    "a request's own priority is ignored",
    "ResourceRegistry.ts",
    "priority && CleanupPriority.toNumber(priority)",
    "undefined",
    "ResourceRegistry.queue"
  ),
  // P5 typed
  mutation(
    "a failed fallback replaces the release's error",
    "internal/CleanupRun.ts",
    "      (exit) => Exit.isSuccess(exit) ? this.end(\"recovered\") : this.giveUp()",
    "      (exit) => Exit.isSuccess(exit) ? this.end(\"recovered\") : this.attemptEnded(exit)",
    "ResourceGuard.recovery"
  ),
  mutation(
    "onFailure die hides the program's own failure",
    "internal/Acquire.ts",
    "exit._tag === \"Success\" && run?.hasFailed === true",
    "run?.hasFailed === true",
    "ResourceGuard.closing"
  ),
  mutation(
    "every failed cleanup fails the close",
    "internal/Acquire.ts",
    "entry.settings.onFailure === \"die\" && ",
    "",
    "ResourceGuard.closing"
  ),
  mutation(
    "a failed cleanup hides the error of the use",
    "ResourceGuard.ts",
    "    if (Exit.isFailure(exit)) return exit\n",
    "",
    "ResourceGuard"
  ),
  mutation(
    "a strategy that throws breaks the cleanup",
    "internal/CleanupRun.ts",
    "      () => \"Fail\"\n",
    "      (defect) => {\n        throw defect\n      }\n",
    "ResourceGuard.recovery"
  ),
  // P6 accounted for
  mutation(
    "disarmed resources are not counted",
    "internal/Registry.ts",
    "    this.move(entry, \"disarmed\")\n",
    "    entry.state = \"disarmed\"\n",
    "ResourceRegistry.queue",
    "rust-original"
  ),
  mutation(
    "a dead letter retried with success stays failed",
    "internal/Registry.ts",
    "      accounts.failed--\n      accounts.recovered++",
    "      accounts.recovered++",
    "ResourceGuard"
  ),
  mutation(
    "a cancelled acquire keeps its place",
    "internal/Registry.ts",
    "  cancel(entry: Entry): void {\n    this.acquiring.delete(entry)\n",
    "  cancel(entry: Entry): void {\n",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "a value that is gone is kept",
    "internal/Registry.ts",
    "      else entry.value = undefined\n",
    "",
    "ResourceRegistry.memory"
  ),
  mutation(
    "what finishes late is not marked",
    "internal/Registry.ts",
    "      this.deadLetters.finishedLate(run.entry)\n",
    "",
    "ResourceGuard.recovery"
  ),
  // P7 quiet
  mutation(
    "a timer outlives its cleanup",
    "internal/CleanupRun.ts",
    "    this.host.timers.clear(this)\n",
    "",
    "ResourceRegistry.quiet"
  ),
  mutation(
    "the leak watch keeps its timer when nothing is live",
    "internal/LeakWatch.ts",
    "    if (this.registry.entries.size === 0) this.stop()\n",
    "",
    "ResourceRegistry.quiet"
  ),
  // P8 no self-deadlock
  mutation(
    "a cleanup that waits for another keeps its slot",
    "internal/Asker.ts",
    "    waiting?.giveWay()\n",
    "",
    "ResourceGuard",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "circles are not seen",
    "internal/CleanupRun.ts",
    "    if (isFound(next)) return true\n",
    "",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "a borrow by the fiber that cleans up is waited for",
    "internal/CleanupRun.ts",
    "      if (fiberId === this.askedBy?.id) continue\n",
    "",
    "ResourceGuard.release"
  ),
  mutation(
    "the marker of an ended cleanup still counts",
    "internal/Asker.ts",
    "run: run === undefined || run.isDone ? undefined : run",
    "run",
    "ResourceGuard.acquiring"
  ),
  mutation(
    "while draining, a cleanup cannot acquire what it needs",
    "internal/Registry.ts",
    "return this.phase !== \"Running\" && asker.run === undefined",
    "return this.phase !== \"Running\"",
    "ResourceGuard.acquiring"
  ),
  // P9 observable, and the rest
  mutation(
    "a monitor that hangs holds up the events after it",
    "internal/EventBus.ts",
    "      this.timers.set(this.limit, this.timers.now() + listenerLimit)\n",
    "",
    "ResourceMonitor"
  ),
  mutation(
    "a slow subscriber of the registry loses its newest events, and never ends",
    "internal/Seam.ts",
    "  if (!queue.unsafeOffer(value)) Effect.runSyncExit(Queue.offer(queue, value))",
    "  queue.unsafeOffer(value)",
    "internal/kernel/EventHub"
  ),
  mutation(
    "a value that throws on being looked at has no text",
    "internal/kernel/UserFunction.ts",
    "    return otherwise(defect)",
    "    throw defect",
    "Wording"
  ),
  mutation(
    "a release runs without the acquire's FiberRefs",
    "internal/Seam.ts",
    "forkRefs(origin, id, options?.cleanup)",
    "forkRefs(FiberRefs.empty(), id, options?.cleanup)",
    "ResourceGuard.release"
  ),
  mutation(
    "a forced cleanup says its scope succeeded",
    "internal/Registry.ts",
    "Exit.interrupt(Seam.noFiber)",
    "Exit.void as never",
    "ResourceGuard.closing"
  ),
  mutation(
    "the cleanup's span is not linked to the acquire's",
    "internal/Tracing.ts",
    "    links: [link],\n",
    "    links: link === undefined ? [link] : [],\n",
    "ResourceGuard.tracing"
  ),
  mutation(
    "an option out of its range is taken",
    "internal/Options.ts",
    "attemptTimeout > timeout\n",
    "attemptTimeout > timeout * 2\n",
    "ResourceGuard.acquiring"
  ),
  kernelMutation(
    "what a user's function throws is shown to Effect's loop",
    "internal/kernel/UserFunction.ts",
    "Effect.suspend(() => call(f, dieOf))",
    "Effect.suspend(f)",
    "ResourcePool.functions"
  ),
  mutation(
    "a value that Effect's loop cannot look at ends a fiber without an exit",
    "internal/Seam.ts",
    "    fiber.resume(Effect.failCause(Cause.die(thrown)))\n",
    "    throw thrown\n",
    "ResourceGuard.untellable"
  ),
  mutation(
    "acquiring continues after the registry has begun to drain",
    "internal/Acquire.ts",
    "    : registry.refuses(asker)\n    ? registry",
    "    : false\n    ? registry",
    "ResourceGuard.acquiring"
  ),
  // Looking and changing are one step
  mutation(
    "an update looks in one step and changes in another",
    "ResourceGuard.ts",
    "    return this.#usable((_, entry) => {\n      const value = f(entry.value)\n",
    "    return Effect.flatMap(this.#usable((_, it) => Effect.succeed(it)), (entry) => {\n      const value = f(entry.value)\n",
    "ResourceGuard.atomicity"
  ),
  mutation(
    "an update gives a value to a guard that its function has cleaned up",
    "ResourceGuard.ts",
    "      if (!entry.isUsable) return Effect.fail(gone(entry))\n      entry.value = value\n",
    "      entry.value = value\n",
    "ResourceGuard.atomicity"
  ),
  mutation(
    "a disarm that is interrupted may lose the value",
    "ResourceGuard.ts",
    "return Seam.syncOrElse(() => entry.isUsable, () => this.#registry.disarm(entry), () => Effect.fail(gone(entry)))",
    "return this.#usable((_, it) => Effect.succeed(this.#registry.disarm(it)))",
    "ResourceGuard.atomicity"
  ),
  mutation(
    "a use of a resource that was cleaned up before it began is given nothing",
    "ResourceGuard.ts",
    "entry.isUsable ? f(entry.value) : Effect.fail(gone(entry))\n          ))),",
    "f(entry.value)\n          ))),",
    "ResourceGuard.atomicity"
  ),
  // A request belongs to who has asked
  mutation(
    "a handle takes back what others have asked for",
    "internal/Registry.ts",
    "if (entry.request !== request || --request.asks > 0) return false",
    "if (entry.request !== request) return false",
    "ResourceRegistry.requests"
  ),
  mutation(
    "a handle takes back the retry of a dead letter",
    "internal/Registry.ts",
    "if (entry.request !== request || --request.asks > 0) return false",
    "if (entry.request === undefined || --request.asks > 0) return false",
    "ResourceRegistry.requests"
  ),
  mutation(
    "a guard that is scheduled is taken for a cleanup of one's own",
    "ResourceRegistry.ts",
    "!(\"resource\" in request || \"id\" in request)",
    "!(\"resource\" in request)",
    "ResourceRegistry.requests"
  ),
  mutation(
    "a shutdown does not wait for dead letters that are retried",
    "internal/Registry.ts",
    "[...this.entries.values(), ...this.retrying]",
    "[...this.entries.values()]",
    "ResourceRegistry.requests"
  ),
  mutation(
    "what has ended between the turns of a close is not reported",
    "internal/Batch.ts",
    "        this.records.push(this.recordOf(entry))\n        return\n",
    "        return\n",
    "ResourceRegistry.turns"
  ),
  mutation(
    "what has no turn before the deadline of a close is not reported",
    "internal/Batch.ts",
    "[...this.pending, ...this.left].map(",
    "[...this.pending].map(",
    "ResourceRegistry.turns"
  ),
  mutation(
    "a close that comes to wait for a guard goes on being waited for by it",
    "internal/ScopeClose.ts",
    "    if (entry.run !== undefined) lookAgain(entry.run)\n",
    "",
    "ResourceGuard.waits"
  ),
  mutation(
    "a dead letter that waits to be retried is not started before a deadline",
    "internal/Batch.ts",
    "if (entry.isUsable || entry.request !== undefined) {",
    "if (entry.isUsable) {",
    "ResourceRegistry.requests"
  ),
  mutation(
    "who was interrupted while waiting for a cleanup stays with it",
    "internal/Asker.ts",
    "      unwatch()\n",
    "",
    "ResourceRegistry.requests"
  ),
  // State first, telling last
  mutation(
    "a request is started that was claimed while it was told of",
    "internal/Dispatcher.ts",
    "if (request.entry.request === request) this.start(request)",
    "if (request.state === \"taken\") this.start(request)",
    "ResourceRegistry.telling"
  ),
  mutation(
    "a resource that was cleaned up while it was told of is cleaned up once more",
    "internal/Acquire.ts",
    "  if (entry.run === undefined) {\n    if (!entry.isUsable) return Effect.void\n",
    "  if (entry.run === undefined || entry.run.isDone) {\n",
    "ResourceRegistry.telling"
  ),
  mutation(
    "an id that is taken takes the place of its resource",
    "internal/Registry.ts",
    "    if (this.isTaken(entry.id)) entry.id = randomIds().next()\n",
    "",
    "ResourceRegistry.telling"
  ),
  mutation(
    "a cause that cannot be shown costs its line",
    "internal/Log.ts",
    "() => Cause.empty)",
    "() => cause)",
    "ResourceRegistry.telling"
  ),
  mutation(
    "a throwing logger keeps a registry from closing",
    "internal/Log.ts",
    "    Seam.forkNow(Effect.exit(line), Seam.originOf(fiber))\n    return Effect.void\n",
    "    return Seam.poll(fiber as never) ?? line\n",
    "ResourceRegistry.telling"
  ),
  mutation(
    "a duration below 0 is 0",
    "internal/Options.ts",
    "    : (typeof value === \"number\" || typeof value === \"bigint\") && !(value >= 0)\n",
    "    : false\n",
    "internal/Options"
  ),
  mutation(
    "names of spans are labels of metrics",
    "internal/Metrics.ts",
    "event.isSpanName === true ? unnamed : event.typeName",
    "event.typeName",
    "ResourceMonitor"
  ),
  mutation(
    "a release that may take its time keeps its slot",
    "internal/CleanupRun.ts",
    "      return this.host.giveBackSlot(this)\n",
    "      return\n",
    "ResourceGuard.slow"
  )
]
