/** A program as the process on Node. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("platform-node")

export const nodeRuntime = [
  mutation(
    "the fibers of a process lose a fifth of a long deadline",
    "internal/Plan.ts",
    "Math.min(5_000, left * 0.2)",
    "left * 0.2",
    "internal/Plan"
  ),
  mutation(
    "nothing of a process's deadline is left for its report and its loggers",
    "internal/Plan.ts",
    "shutdownTimeout - Math.min(1_000, left * 0.1)",
    "shutdownTimeout",
    "internal/Plan"
  ),
  mutation(
    "the delay of a process's readiness is taken from its scope",
    "internal/Plan.ts",
    "const left = shutdownTimeout - readinessDelay",
    "const left = shutdownTimeout",
    "internal/Plan"
  ),
  mutation(
    "a process whose cleanup failed ends in 0",
    "internal/Plan.ts",
    "isClean && !hasUncaught && !isOverdue",
    "!hasUncaught && !isOverdue",
    "internal/Plan"
  ),
  mutation(
    "a process that has passed its deadline ends in 0",
    "internal/Plan.ts",
    "isClean && !hasUncaught && !isOverdue",
    "isClean && !hasUncaught",
    "internal/Plan"
  ),
  mutation(
    "a process does not clean up when its terminal is closed",
    "internal/RunOptions.ts",
    "signals: [\"SIGTERM\", \"SIGINT\", \"SIGHUP\", \"disconnect\"]",
    "signals: [\"SIGTERM\", \"SIGINT\", \"disconnect\"]",
    "internal/RunOptions"
  ),
  mutation(
    "a signal of a process that is named twice counts as two",
    "internal/RunOptions.ts",
    "[...new Set(signals)]",
    "[...signals]",
    "internal/RunOptions"
  ),
  mutation(
    "a process does not name the fibers that hold it up",
    "internal/Wording.ts",
    "    ...fibers.map(fiber)\n",
    "",
    "internal/Wording"
  ),
  mutation(
    "a second signal ends a process in 1",
    "internal/Main.ts",
    "const code = 128 + constants.signals[next.signal as NodeJS.Signals]",
    "const code = 1",
    "NodeRuntime.signals"
  ),
  mutation(
    "a process is ready while it shuts down",
    "internal/Main.ts",
    "      yield* this.readiness.drain\n",
    "",
    "NodeRuntime.signals"
  ),
  mutation(
    "a process does not wait until it is known that it is not ready",
    "internal/Main.ts",
    "      if (interruptAt > 0) yield* this.awaitFiber(interruptAt)\n",
    "",
    "NodeRuntime.signals"
  ),
  mutation(
    "a process that has let go of a fiber ends in 0",
    "internal/Main.ts",
    "        this.isClean = false\n        this.log(LogLevel.Error, Wording.letGo",
    "        this.log(LogLevel.Error, Wording.letGo",
    "NodeRuntime.ending"
  ),
  mutation(
    "a process does not hear of a failed cleanup in a scope that is not its own",
    "internal/Main.ts",
    "    this.isClean = false\n  })\n",
    "  })\n",
    "NodeRuntime.launch"
  ),
  mutation(
    "a process with an uncaught error ends in 0",
    "internal/Main.ts",
    "    this.hasUncaught = true\n",
    "",
    "NodeRuntime.uncaught"
  ),
  mutation(
    "a process does not report its uncaught errors",
    "internal/Main.ts",
    "    this.log(LogLevel.Fatal, event, cause)\n",
    "",
    "NodeRuntime.uncaught"
  ),
  mutation(
    "a process that ends by itself tells that it has shut down",
    "internal/Main.ts",
    "this.isForced ? LogLevel.Info : LogLevel.Debug",
    "LogLevel.Info",
    "NodeRuntime.ending"
  ),
  mutation(
    "a process that has ended its program goes on listening to signals",
    "internal/Main.ts",
    "    for (const [event, listener] of this.listeners) process.off(event, listener)\n",
    "",
    "NodeRuntime.signals"
  ),
  mutation(
    "a process exits before its output is read",
    "internal/Main.ts",
    "      return Stdio.flush(() => this.exitProcess())\n    }\n    this.deadline",
    "      return this.exitProcess()\n    }\n    this.deadline",
    "NodeRuntime.output"
  ),
  mutation(
    "a process waits for standard output only",
    "internal/Stdio.ts",
    "[process.stdout, process.stderr]",
    "[process.stdout]",
    "NodeRuntime.output"
  ),
  mutation(
    "the watchdog of a process does not name what spins",
    "internal/Watchdog.ts",
    "callFrames.slice(0, 4).map(frame)",
    "[\"something\"]",
    "NodeRuntime.watchdog"
  ),
  mutation(
    "the watchdog of a process runs what the process preloads",
    "internal/Watchdog.ts",
    "    execArgv: [],\n    env: {},\n",
    "",
    "NodeRuntime.watchdog"
  ),
  mutation(
    "a signal that is delivered twice ends the process at once",
    "internal/Plan.ts",
    "  first.signal === second.signal && second.at - first.at < repeatMillis",
    "  first.signal === second.signal && second.at - first.at < 0",
    "internal/Plan",
    "NodeRuntime.signals"
  ),
  mutation(
    "an exit by others in the middle of the shutdown is a success",
    "internal/Main.ts",
    "    const ours = code === 0 ? 1 : code\n",
    "    const ours = code\n",
    "NodeRuntime.reasons"
  ),
  mutation(
    "the end of the channel after a signal is a second signal",
    "internal/Main.ts",
    "  private onDisconnect(): void {\n    if (this.begunAt > 0) return\n",
    "  private onDisconnect(): void {\n    if (this.begunAt > 0) return Stdio.exit(1)\n",
    "NodeRuntime.reasons"
  ),
  mutation(
    "the report of a process leaves out what layers of the program held",
    "internal/Cleanups.ts",
    "    if (scope !== this.after) this.scopes.add(scope)",
    "    if (scope === this.scope) this.scopes.add(scope)",
    "NodeRuntime.inside"
  ),
  mutation(
    "layers that a program builds have no limits",
    "internal/Main.ts",
    "    if (this.options.limitsLayers) this.restoreLayers",
    "    if (this.options.limitsLayers && this.begunAt > 0) this.restoreLayers",
    "NodeRuntime.inside"
  ),
  mutation(
    "a registry inside the program closes before the scope of the process",
    "internal/Cleanups.ts",
    "    const isOpen = this.after.report === undefined && ",
    "    const isOpen = this.after.report !== undefined && ",
    "NodeRuntime.inside"
  ),
  mutation(
    "an error without a text keeps a failed program from its shutdown",
    "internal/Main.ts",
    "      return Effect.ensuring(report, ",
    "      return Effect.andThen(report.pipe(Effect.andThen(Effect.sync(() => String(exit)))), ",
    "NodeRuntime.untellable"
  ),
  mutation(
    "a program is ended as a leftover of the one before it",
    "internal/Main.ts",
    "      if (!this.host.isLast()) return\n",
    "",
    "NodeRuntime.ending"
  ),
  mutation(
    "a memo map of the application's builds its layers again after the program",
    "internal/Seam.ts",
    "    return this.getOrElseMemoize(layer, scope)\n",
    "    const build = this.getOrElseMemoize\n    Reflect.deleteProperty(this, \"getOrElseMemoize\")\n    return build(layer, scope)\n",
    "NodeRuntime.inside"
  )
]
