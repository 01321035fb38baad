/**
 * Runs the finalizers of one scope, one after the other, in one fiber, as a plain scope would: what one sets in a FiberRef
 * the next finds there. When one does not end in time the fiber is left to it, and the scope goes on without.
 */
import { Effect, Exit } from "effect"
import { defaultPriority } from "../CleanupPriority.js"
import { Entry } from "./Entry.js"
import { FinalizerRun } from "./FinalizerRun.js"
import type { Drive, Slot } from "./ScopeDrive.js"
import { FinalizerKey, hasLimit, nameOf } from "./ScopeKeys.js"
import { unlimited } from "./ScopeOptions.js"
import * as Seam from "./Seam.js"

const noRelease = () => Effect.void

export class ScopeWorker {
  /** The finalizer at work. */
  run: FinalizerRun | undefined = undefined
  private finalize: Effect.Effect<Exit.Exit<unknown>> = Effect.exit(Effect.void)
  private isAsync = false
  private isStopped = false
  private isLeft = false
  private isArming = false
  private fiber: Seam.CurrentFiber | undefined
  readonly workerId: Seam.Id
  private readonly refs: Seam.Origin
  /** What the fiber had set before the finalizer at work began. */
  private before: Seam.Origin

  constructor(readonly drive: Drive, private first: Slot | undefined) {
    this.workerId = drive.fiberId()
    this.refs = this.before = drive.host.refs
  }

  start(): void {
    const fiber = Seam.forkNow(this.work, this.refs, { id: this.workerId })
    if (Seam.poll(fiber) !== undefined) return this.ended()
    this.isAsync = true
    this.run?.arm()
    Seam.observe(fiber, () => this.ended())
  }

  private readonly work: Effect.Effect<void> = Seam.withFiber((fiber) => {
    this.fiber = fiber
    this.before = Seam.originOf(fiber)
    Seam.runsCleanupOf(fiber, this)
    return Effect.whileLoop({
      while: () => this.takeNext(),
      body: () => this.finalize,
      step: (exit) => this.run!.settle(exit)
    })
  })

  private takeNext(): boolean {
    const { drive } = this
    const slot = this.first ?? (this.isStopped ? undefined : drive.takeFinalizer())
    this.first = undefined
    if (slot === undefined) return false
    const { host } = drive
    const entry = new Entry(
      host.ids.next(),
      nameOf(drive.scope, slot[0]),
      undefined,
      hasLimit(slot[1]) ? unlimited : host.options.finalizer,
      defaultPriority,
      undefined,
      undefined,
      noRelease,
      this.refs,
      undefined,
      undefined
    )
    entry.state = "cleaning"
    entry.deadline = host.deadline
    const run = this.run = new FinalizerRun(entry, drive.exit, host, this)
    entry.run = run
    this.before = Seam.originOf(this.fiber!)
    const finalize = this.finalizing(slot)
    const { turn } = host
    this.finalize = turn.isOver() ? Effect.andThen(turn.next, finalize) : finalize
    run.begin()
    if (this.isAsync) this.armLater()
    return true
  }

  /** Once for all that end in this turn. */
  private armLater(): void {
    if (this.isArming) return
    this.isArming = true
    queueMicrotask(() => {
      this.isArming = false
      if (!this.isLeft) this.run?.arm()
    })
  }

  private finalizing([key, finalizer]: Slot): Effect.Effect<Exit.Exit<unknown>> {
    const { exit, host } = this.drive
    try {
      return Effect.exit(key instanceof FinalizerKey ? finalizer(exit) : host.waiters.endFiber(finalizer, exit))
    } catch (defect) {
      // It threw before there was an effect.
      return Effect.succeed(Exit.die(defect))
    }
  }

  isEnding(fiber: Seam.CurrentFiber): boolean {
    return this.fiber !== undefined && Seam.isEnding(this.fiber, fiber)
  }

  /** Its fiber is interrupted, to end the finalizer at work, and runs no other. */
  stop(): void {
    this.isStopped = true
    if (this.fiber !== undefined) Seam.interruptLater(this.fiber)
  }

  /** The finalizer at work is let go of, and the fiber with it. */
  leave(): void {
    if (this.isLeft) return
    this.isLeft = true
    this.drive.host.note(this.refs, this.before)
    this.drive.workerEnded(this)
  }

  private ended(): void {
    if (this.isLeft) return
    this.drive.host.note(this.refs, Seam.originOf(this.fiber!))
    this.drive.workerEnded(this)
  }
}
