/**
 * The caller of a registry, and how it is made to wait. What a cleanup asks for must never wait for that same
 * cleanup (P8). So a caller names the cleanup that it runs inside of, and each wait is noted before it begins.
 */
import { Effect, Exit } from "effect"
import * as Fibers from "../effect3/Fibers.js"
import { Condition } from "../kernel/Condition.js"
import type { CleanupRun } from "./CleanupRun.js"
import type { CleanupTarget } from "./CleanupTarget.js"
import type { RunStart } from "./RunHost.js"
import { type Blocker, waitsFor } from "./WaitGraph.js"
import { block, giveWay, unblock } from "./Waits.js"

/** A fiber, and the cleanup that it runs inside of. */
export interface CallerContext {
  readonly fiber: Fibers.CurrentFiber | undefined
  readonly run: CleanupRun | undefined
}

/** A cleanup as it is asked for. */
export interface CleanupStart extends RunStart {
  readonly caller: CallerContext
}

/** A cleanup that the registry forces ends its resource's use from outside, as an interruption does. */
export const forcedExit: Exit.Exit<never> = /* @__PURE__ */ Exit.interrupt(Fibers.noFiber)

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
  block(caller.run, entry)
  start()
  unblock(caller.run, entry)
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
    const { run } = caller
    block(run, entry)
    giveWay(run)
    const end = () => {
      unblock(run, entry)
      resume(Effect.void)
    }
    // With a slot that was given back it may have ended.
    if (run !== undefined && isOver()) return end()
    const unwatch = entry.watch(end)
    return Effect.sync(() => {
      unwatch()
      unblock(run, entry)
    })
  })

/** Those who wait for the same thing, which may be over for one of them before it is for the others. */
export class Waiters implements Blocker {
  private readonly condition = new Condition()

  constructor(
    private readonly isOver: (caller: CallerContext) => boolean,
    /** What is waited for, as far as it does not wait for the caller itself. */
    readonly members: NonNullable<Blocker["members"]>
  ) {}

  /** A cleanup that waits needs no slot meanwhile. */
  await(caller: CallerContext): Effect.Effect<unknown> {
    return Effect.suspend(() => {
      const { run } = caller
      giveWay(run)
      let waits = false
      const isOver = () => {
        if (this.isOver(caller)) return true
        // A caller that does not wait cannot close a circle.
        if (!waits) block(run, this)
        waits = true
        return false
      }
      return this.condition.until(isOver, undefined, () => waits && unblock(run, this))
    })
  }

  /** Wakes those for whom it is over now. */
  check(): void {
    this.condition.check()
  }
}
