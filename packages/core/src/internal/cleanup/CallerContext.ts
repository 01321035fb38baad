/**
 * Who asks the registry for something, and how it is made to wait. What a cleanup asks for must never wait for that same
 * cleanup (P8), so whoever waits says which cleanup it runs inside of, and each wait is noted before it begins.
 */
import { Effect } from "effect"
import * as Fibers from "../effect3/Fibers.js"
import { Condition } from "../kernel/Condition.js"
import { type CleanupRun } from "./CleanupRun.js"
import type { CleanupTarget } from "./CleanupTarget.js"
import { type Blocker, waitsFor } from "./WaitGraph.js"

/** A fiber, and the cleanup that it runs inside of. */
export interface CallerContext {
  readonly fiber: Fibers.CurrentFiber | undefined
  readonly run: CleanupRun | undefined
}

/** The registry itself. */
export const nobody: CallerContext = { fiber: undefined, run: undefined }

export const callerOf = (fiber: Fibers.CurrentFiber): CallerContext => {
  const run = Fibers.cleanupOf(fiber) as CleanupRun | undefined
  return { fiber, run: run === undefined || run.isDone ? undefined : run }
}

/**
 * Until when what a cleanup asks for must be over: a little before that cleanup, so that the inner one is named first.
 */
export const limitOf = ({ run }: CallerContext, now: number): number =>
  run === undefined ? Infinity : now + Math.max(0, Math.min(run.limit, run.entry.deadline ?? Infinity) - now) * 0.95

/** Starts what the caller is going to wait for. Whatever runs in there finds that it waits already. */
export const startFor = (caller: CallerContext, entry: CleanupTarget, start: () => void): void => {
  caller.run?.block(entry)
  start()
  caller.run?.unblock(entry)
}

const hasEnded = (entry: CleanupTarget): boolean =>
  !entry.isLive && entry.request === undefined && entry.run?.isDone !== false

/**
 * Waits until the resource has ended; not at all where that would close a circle. A cleanup that waits for another needs
 * no slot meanwhile, whose ever it is.
 */
export const awaitEnd = (entry: CleanupTarget, caller: CallerContext): Effect.Effect<void> =>
  Fibers.callback<void>((resume) => {
    const isOver = () => hasEnded(entry) || (entry.run !== undefined && waitsFor(entry.run, caller))
    if (isOver()) return resume(Effect.void)
    const waiting = caller.run
    waiting?.block(entry)
    waiting?.giveWay()
    // With a slot that was given back it may have ended.
    if (waiting !== undefined && isOver()) {
      waiting.unblock(entry)
      return resume(Effect.void)
    }
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
  private readonly condition = new Condition()

  constructor(
    private readonly isOver: (caller: CallerContext) => boolean,
    /** What is waited for, as far as it does not wait for the one who waits. */
    readonly members: NonNullable<Blocker["members"]>
  ) {}

  /** A cleanup that waits needs no slot meanwhile. */
  await(caller: CallerContext): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { run } = caller
      run?.giveWay()
      if (this.isOver(caller)) return Effect.void
      run?.block(this)
      return this.condition.isTrue(() => this.isOver(caller), () => run?.unblock(this))
    })
  }

  /** Wakes those for whom it is over now. */
  check(): void {
    this.condition.check()
  }
}
