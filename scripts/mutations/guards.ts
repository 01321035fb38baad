/** Guards, the registry and recovery. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("core")

export const guards = [
  // P1 exactly once
  mutation(
    "a second cleanup is told that it cleaned up",
    "ResourceRegistry.ts",
    "    return run.isDone || wouldDeadlock(asker, run)\n      ? over",
    "    return run.isDone || wouldDeadlock(asker, run)\n      ? Effect.void",
    "ResourceGuard"
  ),
  mutation(
    "a close does not wait for a cleanup that runs",
    "internal/Acquire.ts",
    "if (run.isDone) return afterClose(entry, exit)",
    "if (run.isDone || run.trigger !== \"scope\") return afterClose(entry, exit)",
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
    "ResourceGuard.ts",
    "      if (entry.scope !== undefined) Seam.dropFinalizer(entry.scope, entry)\n",
    "",
    "ResourceGuard.closing"
  ),
  mutation(
    "a transfer to a closed scope does nothing",
    "internal/Acquire.ts",
    "  registry.start(entry, \"scope\", closed, asker)\n  return awaitEnd(entry, asker)",
    "  return Effect.void",
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
    "    timers.set(this.forceAt, this.deadline - Recovery.forceMargin(this.timeout))\n",
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
    "          run.forced = true\n",
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
    "const release = Effect.suspend(() => entry.release(entry.value, this.exit))",
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
    "    timers.set(this.endAt, this.deadline)\n",
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
    "internal/Registry.ts",
    "    for (let i = entries.length - 1; i >= 0; i--) {\n      const entry = entries[i]!",
    "    for (let i = 0; i < entries.length; i++) {\n      const entry = entries[i]!",
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
    "          run.waitFor(dependent.run)\n",
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
    "request.priority === undefined ? undefined : CleanupPriority.toNumber(request.priority)",
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
    "      // A strategy that throws has no answer; the error it was asked about stays the one that counts.\n      strategy = \"Fail\"",
    "      throw new Error(\"broken\")",
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
    "      } else {\n        entry.value = undefined\n      }",
    "      }",
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
    "    waiting?.host.giveBackSlot(waiting)\n",
    "",
    "ResourceGuard",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "circles are not seen",
    "internal/CleanupRun.ts",
    "    if (next === target) return true\n",
    "",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "a borrow by the fiber that cleans up is waited for",
    "internal/CleanupRun.ts",
    "if (holder.fiberId !== this.askedBy) return true",
    "return true",
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
  mutation(
    "acquiring continues after the registry has begun to drain",
    "internal/Acquire.ts",
    "  const refused = registry.refuses(asker)\n",
    "  const refused = false\n",
    "ResourceGuard.acquiring"
  )
]
