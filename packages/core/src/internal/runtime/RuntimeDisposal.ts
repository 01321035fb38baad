/**
 * The end of a runtime: first the fibers that it has started, then the scope of what they use, under one deadline. It runs
 * once, in the fiber of the first caller; later callers wait for it.
 */
import { Effect, Exit } from "effect"
import * as CleanupError from "../../CleanupError.js"
import { defaultPriority } from "../../CleanupPriority.js"
import * as CleanupReport from "../../CleanupReport.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Scopes from "../effect3/Scopes.js"
import { Condition } from "../kernel/Condition.js"
import * as Text from "../kernel/Text.js"
import type { ManagedScope } from "../scope/ManagedScope.js"
import * as ScopeClose from "../scope/ScopeClose.js"
import type { RunningFibers } from "./RunningFibers.js"

export class RuntimeDisposal {
  private haveFibersEnded = false
  private readonly condition = new Condition()
  private readonly left: Array<CleanupReport.CleanupRecord> = []
  private complete: CleanupReport.CleanupReport | undefined = undefined
  /** Made here, so that its deadline counts from now. */
  private readonly close: ScopeClose.ScopeClose

  constructor(
    private readonly scope: ManagedScope,
    private readonly fibers: RunningFibers,
    fiber: Fibers.CurrentFiber
  ) {
    this.close = new ScopeClose.ScopeClose(scope.options, fiber)
  }

  /** Fibers get as long as one finalizer, and leave at least half of the time for what they use. */
  private get fiberLimit(): number {
    const { deadline, options, startedAt } = this.close
    return Math.min(options.finalizer.timeout, Math.round((deadline - startedAt) / 2))
  }

  begin(fiber: Fibers.CurrentFiber): Effect.Effect<CleanupReport.CleanupReport> {
    const { close, fiberLimit, fibers } = this
    const run = fibers.runOf(fiber)
    // It would wait for itself.
    if (run !== undefined && Fibers.isWithin(fiber, run.fiber)) fibers.excuse(run)
    let closed: Effect.Effect<void> = Effect.void
    fibers.end(close.timers, close.startedAt + fiberLimit, (left) => {
      if (left.length > 0) this.abandon(left, fiberLimit)
      this.haveFibersEnded = true
      // The close has begun before any caller that waits goes on.
      closed = this.closeScope(fiber)
      this.condition.check()
    })
    // A run that is being ended interrupts who is part of it only when it has nothing left to do but to wait for that.
    const excused = Effect.sync(() => run !== undefined && fibers.excuse(run))
    const ended = Effect.andThen(
      Effect.exit(Effect.interruptible(Effect.onInterrupt(this.fibersEnded, () => excused))),
      this.fibersEnded
    )
    return this.reportAfter(Effect.andThen(ended, Effect.suspend(() => closed)))
  }

  /** Nobody waits inside of what is being ended; they find the report so far. */
  join(fiber: Fibers.CurrentFiber): Effect.Effect<CleanupReport.CleanupReport> {
    if (!this.haveFibersEnded && this.fibers.runOf(fiber) !== undefined) return this.reportAfter(Effect.void)
    return this.reportAfter(Effect.andThen(this.fibersEnded, Effect.suspend(() => this.closeScope(fiber))))
  }

  private readonly fibersEnded = this.condition.until(() => this.haveFibersEnded)

  private closeScope(fiber: Fibers.CurrentFiber): Effect.Effect<void> {
    const { close, scope } = this
    const { drive } = scope
    if (drive === undefined && Scopes.isOpen(scope)) return close.begin(scope, Exit.void)
    // It goes on, here or past the runtime, or is over.
    drive?.host.limitTo(close.deadline)
    return ScopeClose.close(scope, Exit.void, scope.options, fiber)
  }

  private reportAfter(done: Effect.Effect<void>): Effect.Effect<CleanupReport.CleanupReport> {
    return Effect.map(Effect.exit(done), () => this.report())
  }

  /** What they use is released under them. */
  private abandon(names: ReadonlyArray<string>, limitMillis: number): void {
    const { close } = this
    for (const typeName of names) {
      const id = close.ids.next()
      this.left.push({
        order: close.nextOrder(),
        id,
        typeName,
        priority: defaultPriority,
        outcome: "abandoned",
        attempts: 1,
        waitMillis: 0,
        runMillis: close.now() - close.startedAt,
        trigger: "scope",
        forced: false,
        usedFallback: false,
        startedAt: close.wallMillisAt(close.startedAt),
        error: new CleanupError.CleanupTimeout({ id, typeName, limitMillis, stopped: false, attempts: 1 })
      })
    }
    Fibers.forkNow(
      Effect.exit(Effect.logError(
        `Abandoned ${Text.count(names.length, "fiber")} that ignored interruption for ${Text.duration(limitMillis)}; ` +
          `what they use is released under them: ${names.slice(0, 10).join(", ")}`
      )),
      close.refs
    )
  }

  private report(): CleanupReport.CleanupReport {
    if (this.complete !== undefined) return this.complete
    const { close, left, scope } = this
    const { closed, report } = scope
    if (left.length === 0 && report !== undefined) return report
    const merged = CleanupReport.make({
      durationMillis: close.now() - close.startedAt,
      deadlineMillis: close.deadline - close.startedAt,
      deadlineReached: false,
      ...report,
      records: [...left, ...report?.records ?? []]
    })
    if (closed !== undefined) this.complete = merged
    return merged
  }
}
