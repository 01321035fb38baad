/** `ResourceRuntime`, and guards of code without a Scope. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("core")

export const runtimes = [
  mutation(
    "a ResourceRuntime remembers runs that have ended",
    "internal/RunningFibers.ts",
    "      this.runs.delete(number)\n",
    "",
    "ResourceRuntime.quiet"
  ),
  mutation(
    "fibers of a ResourceRuntime have all of the dispose's time",
    "internal/RuntimeEnd.ts",
    "Math.min(options.finalizer.timeout, Math.round((deadline - startedAt) / 2))",
    "Math.min(options.finalizer.timeout, deadline - startedAt)",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a dispose of a ResourceRuntime leaves alone who is not part of its run",
    "internal/RuntimeEnd.ts",
    "run !== undefined && Seam.isWithin(fiber, run.fiber)) fibers",
    "run !== undefined) fibers",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a dispose of a ResourceRuntime in one of its runs waits for that",
    "internal/RuntimeEnd.ts",
    "Effect.sync(() => run !== undefined && fibers.excuse(run))",
    "Effect.void",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a close of the scope outlives the dispose of its ResourceRuntime",
    "internal/RuntimeEnd.ts",
    "    drive?.host.limitTo(close.deadline)\n",
    "",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a disposed ResourceRuntime runs on",
    "ResourceRuntime.ts",
    "        if (this.ending !== undefined) return this.disposed\n",
    "",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a ResourceRuntime does not end its fibers",
    "ResourceRuntime.ts",
    "        this.running.add(fiber, \"fiber\")\n",
    "",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a ResourceRuntime does not end its build",
    "ResourceRuntime.ts",
    "      this.running.add(fiber, \"the build of the layer in fiber\")\n",
    "",
    "ResourceRuntime.dispose"
  ),
  mutation(
    "a guard that is cleaned up twice is no longer let go by its disposable",
    "internal/Disposables.ts",
    "Effect.catchTag(guard.cleanup, \"AlreadyCleanedUp\", () => Effect.void)",
    "guard.cleanup",
    "ResourceGuard.disposable"
  ),
  mutation(
    "a promise that Symbol.dispose returns is not waited for, and its rejection ends the process",
    "internal/Disposables.ts",
    "result === Object(result)",
    "result === Object(result) && isAsync(resource)",
    "ResourceGuard.disposable"
  ),
  mutation(
    "an unscoped guard that waits for its cleanup is told as leaked",
    "internal/Unscoped.ts",
    "entry.state !== \"inUse\"",
    "!entry.isUsable",
    "ResourceGuard.unscoped"
  ),
  mutation(
    "an unscoped guard is always cleaned up when collected",
    "internal/Unscoped.ts",
    "  if (cleansUp) registry.schedule(entry, \"leaked\")",
    "  registry.schedule(entry, \"leaked\")",
    "ResourceGuard.unscoped"
  ),
  mutation(
    "a release waits for the cleanup that waits for it",
    "internal/Asker.ts",
    "  asker.run?.block(entry)\n  start()",
    "  start()",
    "ResourceGuard.deadlock"
  ),
  mutation(
    "who waits for a layer shares the interruption of its builder",
    "internal/ScopeMemo.ts",
    "Cause.isInterruptedOnly(cause) && this.memos.get(layer) !== memo",
    "this.memos.size < 0",
    "ResourceScope.layers"
  )
]
