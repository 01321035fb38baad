/**
 * Runs the finalizers of one scope, one after the other, in one fiber, as a plain scope would: what one sets in a FiberRef
 * the next finds there. When one does not end in time the fiber is left to it, and the scope goes on without.
 */
import { Effect, Exit } from "effect"
import { defaultPriority } from "../CleanupPriority.js"
import { Entry } from "./Entry.js"
import { FinalizerRun } from "./FinalizerRun.js"
import type { Drive, Slot } from "./ScopeDrive.js"
import { FinalizerKey, nameOf } from "./ScopeKeys.js"
import * as Seam from "./Seam.js"

const noRelease = () => Effect.void

export class ScopeWorker {
  /** The finalizer at work. */
  run: FinalizerRun | undefined = undefined
  private finalize: Effect.Effect<Exit.Exit<unknown>> = Effect.exit(Effect.void)
  private isAsync = false
  private isStopped = false
  private isLeft = false
  private fiber: Seam.CurrentFiber | undefined
  private readonly refs: Seam.Origin
  /** What the fiber had set before the finalizer at work began. */
  private before: Seam.Origin

  constructor(readonly drive: Drive, private first: Slot | undefined) {
    this.refs = this.before = drive.host.refs
  }

  start(): void {
    const fiber = Seam.forkNow(this.work, this.refs)
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
      host.options.finalizer,
      defaultPriority,
      undefined,
      undefined,
      noRelease,
      this.refs,
      -1,
      undefined
    )
    entry.state = "cleaning"
    entry.deadline = host.deadline
    const run = this.run = new FinalizerRun(entry, drive.exit, host, this)
    entry.run = run
    this.before = Seam.originOf(this.fiber!)
    this.finalize = this.finalizing(slot)
    run.begin()
    if (this.isAsync) run.arm()
    return true
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
