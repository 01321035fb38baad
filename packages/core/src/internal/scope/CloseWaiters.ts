/**
 * The fibers that wait for the close of a scope. A cleanup that the close itself waits for, and a fiber that the close
 * must end, do not wait: they would wait for themselves.
 */
import { Effect, Exit, type Scope } from "effect"
import { type CallerContext, callerOf } from "../cleanup/CallerContext.js"
import { CleanupRun } from "../cleanup/CleanupRun.js"
import { CleanupTarget } from "../cleanup/CleanupTarget.js"
import { type Blocker, waitsFor } from "../cleanup/WaitGraph.js"
import { block, giveWay, unblock } from "../cleanup/Waits.js"
import * as Fibers from "../effect3/Fibers.js"
import type { Few } from "../kernel/Few.js"
import type { FinalizerQueue } from "./FinalizerQueue.js"
import type { ScopeClose } from "./ScopeClose.js"
import { defaults } from "./ScopeOptions.js"

/** What a close waits for: a guard, another close, or the worker whose finalizer is at work. */
export interface Active {
  readonly run: CleanupRun | undefined
  readonly workerId?: Fibers.Id
}

interface Waiter {
  readonly drive: FinalizerQueue
  readonly caller: CallerContext
  readonly fiber: Fibers.CurrentFiber
  readonly wake: () => void
}

// What only a close needs that does not end at once is made when it does.
export class CloseWaiters implements Blocker {
  private waiting: Set<Waiter> | undefined = undefined
  /** Finalizers at work that end a fiber which was forked in the scope. */
  private ending: Set<Scope.Scope.Finalizer> | undefined = undefined
  private asEntry: CleanupTarget | undefined = undefined

  constructor(
    private readonly host: ScopeClose,
    private readonly closer: Fibers.CurrentFiber,
    private readonly active: Few<Active>
  ) {}

  members(): Iterable<Active> {
    return this.active
  }

  /** The close as something that a cleanup can wait for. */
  get entry(): CleanupTarget {
    if (this.asEntry === undefined) {
      const { host } = this
      const { ids, refs: origin, startedAt } = host
      const entry = new CleanupTarget(ids.next(), "scope", { settings: defaults.finalizer }, { origin })
      entry.run = new CleanupRun(entry, host, { trigger: "scope", exit: Exit.void }, startedAt)
      block(entry.run, this)
      this.asEntry = entry
    }
    return this.asEntry
  }

  private isOverFor(drive: FinalizerQueue, caller: CallerContext, fiber: Fibers.CurrentFiber): boolean {
    if (drive.isOver) return true
    const isCloser = fiber === this.closer
    if ((!isCloser || caller.run !== undefined) && waitsFor(this.entry.run!, caller)) return true
    if (isCloser) return false
    for (const finalizer of this.ending ?? []) if (Fibers.endsFiber(finalizer, fiber)) return true
    // A finalizer that has interrupted it waits for it.
    for (const { workerId: id } of this.active) if (id !== undefined && Fibers.isInterruptedBy(fiber, id)) return true
    return false
  }

  await(drive: FinalizerQueue, fiber: Fibers.CurrentFiber): Effect.Effect<void> {
    const caller = callerOf(fiber)
    return Fibers.callback<void>((resume) => {
      if (this.isOverFor(drive, caller, fiber)) return resume(Effect.void)
      giveWay(caller.run)
      // With a slot that was given back it may be over.
      if (caller.run !== undefined && this.isOverFor(drive, caller, fiber)) return resume(Effect.void)
      if (caller.run !== undefined) block(caller.run, this.entry)
      const waiting = this.waiting ??= new Set()
      const waiter: Waiter = {
        drive,
        caller,
        fiber,
        wake: () => {
          if (!waiting.delete(waiter)) return
          if (caller.run !== undefined) unblock(caller.run, this.entry)
          resume(Effect.void)
        }
      }
      waiting.add(waiter)
      drive.whenOver(waiter.wake)
    })
  }

  /** Wakes those whom the close waits for by now. */
  recheck(): void {
    for (const { caller, drive, fiber, wake } of this.waiting ?? []) if (this.isOverFor(drive, caller, fiber)) wake()
  }

  wakeAll(): void {
    for (const { wake } of this.waiting ?? []) wake()
  }

  /** Ends a fiber that was forked in the scope; a fiber that closes the scope ends by itself, afterwards. */
  endFiber(finalizer: Scope.Scope.Finalizer, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (Fibers.endsFiber(finalizer, this.closer)) return Effect.void
    const ending = this.ending ??= new Set()
    ending.add(finalizer)
    for (const { fiber, wake } of this.waiting ?? []) if (Fibers.endsFiber(finalizer, fiber)) wake()
    return Effect.ensuring(finalizer(exit), Effect.sync(() => ending.delete(finalizer)))
  }
}
