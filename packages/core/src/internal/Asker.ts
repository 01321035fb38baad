/**
 * Who asks the registry for something, and how it is made to wait. What a cleanup asks for must never wait for that same
 * cleanup (P8), so whoever waits says which cleanup it runs inside of.
 */
import { Effect } from "effect"
import { type CleanupRun, waitsFor } from "./CleanupRun.js"
import type { Entry } from "./Entry.js"
import * as Seam from "./Seam.js"

/** A fiber, and the cleanup that it runs inside of. */
export interface Asker {
  readonly fiberId: number
  readonly run: CleanupRun | undefined
}

/** The registry itself. */
export const nobody: Asker = { fiberId: -1, run: undefined }

export const askerOf = (fiber: Seam.CurrentFiber): Asker => {
  const run = Seam.cleanupOf(fiber) as CleanupRun | undefined
  return { fiberId: Seam.fiberNumber(fiber), run: run === undefined || run.isDone ? undefined : run }
}

/** Whether waiting for `run` would close a circle: the asker is what it waits for. */
export const wouldDeadlock = (asker: Asker, run: CleanupRun): boolean =>
  asker.run !== undefined && waitsFor(run, asker.run)

/** Waits until the resource has ended. A cleanup that waits for another needs no slot meanwhile, whose ever it is. */
export const awaitEnd = (entry: Entry, asker: Asker): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (!entry.isLive && entry.request === undefined && entry.run?.isDone !== false) return resume(Effect.void)
    const waiting = asker.run
    waiting?.block(entry)
    waiting?.host.giveBackSlot(waiting)
    entry.watch(() => {
      waiting?.unblock(entry)
      resume(Effect.void)
    })
    return Effect.sync(() => waiting?.unblock(entry))
  })

/** Those who wait for the same thing, which may be over for one of them before it is for the others. */
export class Waiters {
  private readonly waiting = new Map<() => void, Asker>()

  constructor(private readonly isOver: (asker: Asker) => boolean) {}

  /** A cleanup that waits needs no slot meanwhile. */
  await(asker: Asker): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      asker.run?.host.giveBackSlot(asker.run)
      if (this.isOver(asker)) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      this.waiting.set(wake, asker)
      return Effect.sync(() => this.waiting.delete(wake))
    })
  }

  /** Wakes those for whom it is over now. */
  check(): void {
    for (const [wake, asker] of this.waiting) {
      if (!this.isOver(asker)) continue
      this.waiting.delete(wake)
      wake()
    }
  }
}
