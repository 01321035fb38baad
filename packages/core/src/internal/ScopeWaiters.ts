/**
 * Who waits for the close of a scope. A cleanup that the close itself waits for, and a fiber that it is to end, do not:
 * they would wait for themselves.
 */
import { Effect, Exit, type Scope } from "effect"
import { defaultPriority } from "../CleanupPriority.js"
import { type Asker, askerOf } from "./Asker.js"
import { type Blocker, CleanupRun, waitsFor } from "./CleanupRun.js"
import { Entry } from "./Entry.js"
import type { ScopeClose } from "./ScopeClose.js"
import type { Drive } from "./ScopeDrive.js"
import { defaults } from "./ScopeOptions.js"
import * as Seam from "./Seam.js"

/** What a close waits for: a guard, another close, or the worker whose finalizer is at work. */
export interface Active {
  readonly run: CleanupRun | undefined
  readonly workerId?: Seam.Id
}

interface Waiter {
  readonly drive: Drive
  readonly asker: Asker
  readonly fiber: Seam.CurrentFiber
  readonly wake: () => void
}

// What only a close needs that does not end at once is made when it does.
export class ScopeWaiters implements Blocker {
  private waiting: Set<Waiter> | undefined = undefined
  /** Finalizers at work that end a fiber which was forked in the scope. */
  private ending: Set<Scope.Scope.Finalizer> | undefined = undefined
  private asEntry: Entry | undefined = undefined

  constructor(
    private readonly host: ScopeClose,
    private readonly closer: Seam.CurrentFiber,
    private readonly active: Set<Active>
  ) {}

  members(): Iterable<Active> {
    return this.active
  }

  /** The close as something that a cleanup can wait for. */
  get entry(): Entry {
    if (this.asEntry === undefined) {
      const { host } = this
      const entry = new Entry(
        host.ids.next(),
        "scope",
        undefined,
        defaults.finalizer,
        defaultPriority,
        undefined,
        undefined,
        () => Effect.void,
        host.refs,
        undefined,
        undefined
      )
      entry.run = new CleanupRun(entry, "scope", Exit.void, host, undefined, host.startedAt)
      entry.run.block(this)
      this.asEntry = entry
    }
    return this.asEntry
  }

  private isOverFor(drive: Drive, asker: Asker, fiber: Seam.CurrentFiber): boolean {
    if (drive.isOver) return true
    const isCloser = fiber === this.closer
    if ((!isCloser || asker.run !== undefined) && waitsFor(this.entry.run!, asker)) return true
    if (isCloser) return false
    for (const finalizer of this.ending ?? []) if (Seam.endsFiber(finalizer, fiber)) return true
    // A finalizer that has interrupted it waits for it.
    for (const { workerId: id } of this.active) if (id !== undefined && Seam.isInterruptedBy(fiber, id)) return true
    return false
  }

  await(drive: Drive, fiber: Seam.CurrentFiber): Effect.Effect<void> {
    const asker = askerOf(fiber)
    return Effect.async<void>((resume) => {
      if (this.isOverFor(drive, asker, fiber)) return resume(Effect.void)
      asker.run?.giveWay()
      asker.run?.block(this.entry)
      const waiting = this.waiting ??= new Set()
      const waiter: Waiter = {
        drive,
        asker,
        fiber,
        wake: () => {
          if (!waiting.delete(waiter)) return
          asker.run?.unblock(this.entry)
          resume(Effect.void)
        }
      }
      waiting.add(waiter)
      drive.whenOver(waiter.wake)
    })
  }

  /** Wakes those whom the close waits for by now. */
  recheck(): void {
    for (const { asker, drive, fiber, wake } of this.waiting ?? []) if (this.isOverFor(drive, asker, fiber)) wake()
  }

  wakeAll(): void {
    for (const { wake } of this.waiting ?? []) wake()
  }

  /** Ends a fiber that was forked in the scope; one that closes the scope ends by itself, afterwards. */
  endFiber(finalizer: Scope.Scope.Finalizer, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (Seam.endsFiber(finalizer, this.closer)) return Effect.void
    const ending = this.ending ??= new Set()
    ending.add(finalizer)
    for (const { fiber, wake } of this.waiting ?? []) if (Seam.endsFiber(finalizer, fiber)) wake()
    return Effect.ensuring(finalizer(exit), Effect.sync(() => ending.delete(finalizer)))
  }
}
