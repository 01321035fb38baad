/** `ResourceScope`. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("core")

export const scopes = [
  mutation(
    "a ResourceScope runs what was added first, first",
    "internal/ScopeDrive.ts",
    "const arranged = [...slots].reverse()",
    "const arranged = [...slots]",
    "ResourceScope",
    "ResourceScope.equivalence"
  ),
  mutation(
    "a ResourceScope forgets the priority of its guards",
    "internal/ScopeDrive.ts",
    ".sort((a, b) => band(b) - band(a))",
    ".sort(() => 0)",
    "ResourceScope.closing",
    "ResourceScope"
  ),
  mutation(
    "a forced ResourceScope keeps its parallelism",
    "internal/ScopeDrive.ts",
    "(this.running < this.limit || host.forced)",
    "this.running < this.limit",
    "ResourceScope.closing",
    "ResourceScope.faults"
  ),
  mutation(
    "a ResourceScope does not force before its deadline",
    "internal/ScopeClose.ts",
    "    for (const drive of this.drives) this.enqueue(drive)\n",
    "",
    "ResourceScope.closing",
    "ResourceScope.faults"
  ),
  mutation(
    "a ResourceScope does not end at its deadline",
    "internal/ScopeClose.ts",
    "        for (const drive of [...this.drives].reverse()) drive.end()\n",
    "",
    "ResourceScope.closing",
    "ResourceScope.faults"
  ),
  mutation(
    "a ResourceScope closed in a cleanup outlives its limit",
    "internal/ScopeClose.ts",
    "limitOf(asker, startedAt) - startedAt\n",
    "Infinity\n",
    "ResourceScope.closing",
    "ResourceScope.faults",
    "ResourceScope"
  ),
  mutation(
    "a joined close of a ResourceScope is not held to the joiner's deadline",
    "internal/ScopeClose.ts",
    "    host.limitTo(this.deadline)\n",
    "",
    "ResourceScope.closing",
    "ResourceScope.layers"
  ),
  mutation(
    "a finalizer in a ResourceScope has no time limit of its own",
    "internal/FinalizerRun.ts",
    "Math.min(startedAt + entry.settings.timeout, close.deadline)",
    "close.deadline",
    "ResourceScope.closing",
    "ResourceScope.faults",
    "ResourceScope"
  ),
  mutation(
    "a finalizer in a ResourceScope is not interrupted at its limit",
    "internal/ScopeWorker.ts",
    "    if (this.fiber !== undefined) Seam.interruptLater(this.fiber)\n",
    "",
    "ResourceScope",
    "ResourceScope.closing",
    "ResourceScope.faults"
  ),
  mutation(
    "a finalizer that throws ends the close of its ResourceScope",
    "internal/ScopeWorker.ts",
    "      return Effect.succeed(Exit.die(defect))",
    "      throw defect",
    "ResourceScope.faults",
    "ResourceScope"
  ),
  mutation(
    "a closed ResourceScope stays in its parent",
    "internal/ScopeNode.ts",
    "    if (this.parent !== undefined) Seam.dropFinalizer(this.parent, this.key!)\n",
    "",
    "ResourceScope",
    "ResourceScope.closing",
    "ResourceScope.equivalence"
  ),
  mutation(
    "a layer in a ResourceScope is released by its first owner",
    "internal/ScopeMemo.ts",
    "    if (--this.observers > 0) return undefined",
    "    this.observers--",
    "ResourceScope.layers"
  ),
  mutation(
    "a layer in a ResourceScope stays failed after an interruption",
    "internal/ScopeMemo.ts",
    "if (Cause.isInterruptedOnly(cause)) this.memos.delete(layer)",
    "",
    "ResourceScope.layers"
  ),
  mutation(
    "a cleanup waits for the close of a ResourceScope that waits for it",
    "internal/ScopeWaiters.ts",
    "    if ((!isCloser || asker.run !== undefined) && waitsFor(this.entry.run!, asker)) return true\n",
    "",
    "ResourceScope.closing"
  ),
  mutation(
    "a fiber that closes its own ResourceScope waits for itself",
    "internal/ScopeWaiters.ts",
    "    if (Seam.endsFiber(finalizer, this.closer)) return Effect.void\n",
    "",
    "ResourceScope.closing",
    "ResourceScope.equivalence",
    "ResourceScope"
  ),
  mutation(
    "a finalizer runs under an id of its own",
    "internal/ScopeWorker.ts",
    "Seam.forkNow(this.work, this.refs, { id: this.workerId })",
    "Seam.forkNow(this.work, this.refs)",
    "ResourceScope.identity"
  ),
  mutation(
    "a release runs under an id of its own",
    "internal/CleanupRun.ts",
    "      id: this.askedBy ?? this.entry.owner\n",
    "      id: undefined\n",
    "ResourceScope.identity"
  ),
  mutation(
    "a release does not see what its acquire has set",
    "internal/Acquire.ts",
    "      entry.origin = Seam.laterOrigin(entry.origin, Seam.originOf(fiber))\n",
    "",
    "ResourceScope.identity"
  ),
  mutation(
    "a fiber waits for the close whose finalizer waits for it",
    "internal/ScopeWaiters.ts",
    "if (id !== undefined && Seam.isInterruptedBy(fiber, id)) return true",
    "void id",
    "ResourceScope.identity"
  ),
  mutation(
    "what is released side by side goes on too early",
    "internal/ScopeDrive.ts",
    "drive.limit === 1 ? this.ran : () => host.later(this.ran, 2)",
    "this.ran",
    "ResourceScope.order"
  ),
  mutation(
    "a registry in a scope has the limit of a finalizer",
    "internal/ScopeWorker.ts",
    "hasLimit(slot[1]) ? unlimited : host.options.finalizer",
    "host.options.finalizer",
    "ResourceRegistry.limits"
  ),
  mutation(
    "what a cleanup starts may outlive it",
    "internal/Registry.ts",
    "entry.deadline = Math.min(entry.deadline, limitOf(asker, now))",
    "void limitOf",
    "ResourceRegistry.limits"
  ),
  mutation(
    "a wait for a shutdown is not noted",
    "internal/Asker.ts",
    "      run?.block(this)\n",
    "",
    "ResourceRegistry.waits.property"
  ),
  mutation(
    "an interrupted waiter stays with the cleanup",
    "internal/Asker.ts",
    "      unwatch()\n",
    "",
    "ResourceRegistry.limits"
  ),
  mutation(
    "time goes back with the clock",
    "internal/Seam.ts",
    "const next = Math.max(time.now, now, atLeast)",
    "const next = now",
    "ResourceRegistry.clocks.property"
  ),
  mutation(
    "a clock that cannot sleep is asked again and again",
    "internal/Seam.ts",
    "if (isEarly || !isReadable(clock)) return onMachine(passed)\n",
    "",
    "ResourceRegistry.clocks.property"
  ),
  mutation(
    "a storm of finalizers lets nothing else have a turn",
    "internal/ScopeWorker.ts",
    "turn.isOver() ? Effect.andThen(turn.next, finalize) : finalize",
    "finalize",
    "ResourceRegistry.turns"
  )
]
