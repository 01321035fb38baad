/**
 * Who asks the registry for something, and how it is made to wait. What a cleanup asks for must never wait for that same
 * cleanup (P8), so whoever waits says which cleanup it runs inside of, and each wait is noted before it begins.
 */
import { Effect } from "effect"
import { type Blocker, type CleanupRun, waitsFor } from "./CleanupRun.js"
import type { Entry } from "./Entry.js"
import * as Seam from "./Seam.js"

/** A fiber, and the cleanup that it runs inside of. */
export interface Asker {
  readonly fiber: Seam.CurrentFiber | undefined
  readonly run: CleanupRun | undefined
}

/** The registry itself. */
export const nobody: Asker = { fiber: undefined, run: undefined }

export const askerOf = (fiber: Seam.CurrentFiber): Asker => {
  const run = Seam.cleanupOf(fiber) as CleanupRun | undefined
  return { fiber, run: run === undefined || run.isDone ? undefined : run }
}

/**
 * Until when what a cleanup asks for must be over: a little before that cleanup, so that the inner one is named first.
 */
export const limitOf = ({ run }: Asker, now: number): number =>
  run === undefined ? Infinity : now + Math.max(0, Math.min(run.limit, run.entry.deadline) - now) * 0.95

/** Starts what the asker is going to wait for. Whatever runs in there finds that it waits already. */
export const startFor = (asker: Asker, entry: Entry, start: () => void): void => {
  asker.run?.block(entry)
  start()
  asker.run?.unblock(entry)
}

const hasEnded = (entry: Entry): boolean => !entry.isLive && entry.request === undefined && entry.run?.isDone !== false

/**
 * Waits until the resource has ended; not at all where that would close a circle. A cleanup that waits for another needs
 * no slot meanwhile, whose ever it is.
 */
export const awaitEnd = (entry: Entry, asker: Asker): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (hasEnded(entry) || (entry.run !== undefined && waitsFor(entry.run, asker))) return resume(Effect.void)
    const waiting = asker.run
    waiting?.block(entry)
    waiting?.giveWay()
    const unwatch = entry.watch(() => {
      waiting?.unblock(entry)
      resume(Effect.void)
    })
    return Effect.sync(() => {
      unwatch()
      waiting?.unblock(entry)
    })
  })

/** Those who wait for the same thing, which may be over for one of them before it is for the others. */
export class Waiters implements Blocker {
  private readonly waiting = new Map<() => void, Asker>()

  constructor(
    private readonly isOver: (asker: Asker) => boolean,
    /** What is waited for, as far as it does not wait for the one who waits. */
    readonly members: NonNullable<Blocker["members"]>
  ) {}

  /** A cleanup that waits needs no slot meanwhile. */
  await(asker: Asker): Effect.Effect<void> {
    return Effect.async<void>((resume) => {
      const { run } = asker
      run?.giveWay()
      if (this.isOver(asker)) return resume(Effect.void)
      const leave = () => {
        this.waiting.delete(wake)
        run?.unblock(this)
      }
      const wake = () => {
        leave()
        resume(Effect.void)
      }
      this.waiting.set(wake, asker)
      run?.block(this)
      return Effect.sync(leave)
    })
  }

  /** Wakes those for whom it is over now. */
  check(): void {
    for (const [wake, asker] of this.waiting) if (this.isOver(asker)) wake()
  }
}
