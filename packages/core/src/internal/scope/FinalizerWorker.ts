/**
 * Runs the finalizers of one scope, one after the other, in one fiber, as a plain scope would: what one sets in a FiberRef
 * the next finds there. When one does not end in time the fiber is left to it, and the scope goes on without.
 */
import { Effect, Exit } from "effect"
import { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Fibers from "../effect3/Fibers.js"
import * as Refs from "../effect3/Refs.js"
import { FinalizerKey, hasLimit, nameOf } from "./FinalizerKeys.js"
import type { FinalizerQueue, QueuedFinalizer } from "./FinalizerQueue.js"
import { FinalizerRun } from "./FinalizerRun.js"
import { unlimited } from "./ScopeOptions.js"

const nothing: Effect.Effect<Exit.Exit<unknown>> = /* @__PURE__ */ Effect.succeed(Exit.void)

export class FinalizerWorker {
  /** The finalizer at work, or that was last; when it began, and as which. */
  private slot: QueuedFinalizer | undefined = undefined
  startedAt = 0
  order = 0
  forced = false
  private made: FinalizerRun | undefined = undefined
  private finalize = nothing
  private isAsync = false
  private isStopped = false
  private isLeft = false
  private isArming = false
  fiber: Fibers.CurrentFiber | undefined = undefined
  readonly workerId: Fibers.Id
  private readonly refs: Refs.Origin
  /** What the fiber had set before the finalizer at work began. */
  private before: Refs.Origin

  constructor(readonly drive: FinalizerQueue, private first: QueuedFinalizer | undefined) {
    this.workerId = drive.fiberId()
    this.refs = this.before = drive.host.refs
  }

  /** The run of the finalizer at work. Most end well at once, before anybody has looked at it. */
  get run(): FinalizerRun | undefined {
    const { drive, made, slot } = this
    if (made !== undefined || slot === undefined) return made
    const { host } = drive
    const settings = hasLimit(slot[1]) ? unlimited : host.options.finalizer
    const name = nameOf(drive.scope, slot[0])
    const entry = new CleanupTarget(host.ids.next(), name, { settings }, { origin: this.refs })
    entry.state = "cleaning"
    entry.deadline = host.deadline
    const run = this.made = new FinalizerRun(entry, drive.exit, host, this)
    entry.run = run
    return run
  }

  start(): void {
    const fiber = Fibers.startCleaning(this, () => Fibers.forkNow(this.work, this.refs, { id: this.workerId }))
    if (Fibers.poll(fiber) !== undefined) return this.ended()
    Fibers.runsCleanupOf(fiber, this)
    this.isAsync = true
    this.run?.arm()
    Fibers.observe(fiber, () => this.ended())
  }

  private readonly work: Effect.Effect<void> = Fibers.withFiber((fiber) => {
    this.fiber = fiber
    this.before = Refs.originOf(fiber)
    return Effect.whileLoop({
      while: () => this.takeNext(),
      body: () => this.finalize,
      step: (exit) => this.settle(exit)
    })
  })

  private takeNext(): boolean {
    const { drive } = this
    const slot = this.first ?? (this.isStopped ? undefined : drive.takeFinalizer())
    this.first = undefined
    if (slot === undefined) return false
    const { host } = drive
    // Before anything of the finalizer runs: what it calls may look at the run, or force it.
    this.made = undefined
    this.slot = slot
    this.forced = host.forced
    this.order = host.nextOrder()
    this.startedAt = host.now()
    this.before = Refs.originOf(this.fiber!)
    const finalize = this.finalizing(slot)
    const { turn } = host
    this.finalize = turn.isOver() ? Effect.andThen(turn.next, finalize) : finalize
    if (this.isAsync) this.armLater()
    return true
  }

  private settle(exit: Exit.Exit<unknown>): void {
    if (this.made !== undefined || Exit.isFailure(exit)) return this.run!.settle(exit)
    const [key] = this.slot!
    this.slot = undefined
    this.drive.cleaned(key, this)
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

  private finalizing([key, finalizer]: QueuedFinalizer): Effect.Effect<Exit.Exit<unknown>> {
    const { exit, host } = this.drive
    try {
      return Effect.exit(key instanceof FinalizerKey ? finalizer(exit) : host.waiters.endFiber(finalizer, exit))
    } catch (defect) {
      // It threw before there was an effect.
      return Effect.succeed(Exit.die(defect))
    }
  }

  isEnding(fiber: Fibers.CurrentFiber): boolean {
    return this.fiber !== undefined && Fibers.isEnding(this.fiber, fiber)
  }

  /** Its fiber is interrupted, to end the finalizer at work, and runs no other. */
  stop(): void {
    this.isStopped = true
    if (this.fiber !== undefined) Fibers.interruptLater(this.fiber)
  }

  /** The finalizer at work is abandoned, and the fiber with it. */
  leave(): void {
    if (this.isLeft) return
    this.isLeft = true
    this.drive.host.note(this.refs, this.before)
    this.drive.workerEnded(this)
  }

  private ended(): void {
    if (this.isLeft) return
    this.drive.host.note(this.refs, Refs.originOf(this.fiber!))
    this.drive.workerEnded(this)
  }
}
