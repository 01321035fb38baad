/** The time that a load has: its caller's, then that of a release to stop, and then it is abandoned. */
import { interruptLater, isInterruptible, makeDeadline } from "@patinox/core/kernel"
import type { CacheContext } from "./CacheContext.js"
import type { CacheState } from "./state/CacheState.js"
import type { Attempt, Load } from "./state/Load.js"

/** Whether a load can be interrupted by now, and for how long that is looked at, in milliseconds. */
const lookAgainEvery = 1_000
const longestLook = 60_000

export class LoadLimits<K, A, E> {
  constructor(private readonly context: CacheContext<K, A, E>, private readonly state: CacheState<K, A, E>) {}

  /** No caller's deadline ends a load that begins without one. */
  started(attempt: Attempt<K, A, E>): void {
    const { load } = attempt
    if (load.callers.size > 0) return
    this.set(attempt, load.startedAt + this.context.options.acquireTimeout, () => this.uncalled(load))
  }

  /** It began without a caller, and its time is up; but by now a caller may wait. */
  private uncalled(load: Load<K, A, E>): void {
    if (load.callers.size > 0) this.overdue(load)
    else this.state.loads.endUnwanted(load)
  }

  /** A caller has waited for all its time: the others do not wait for ever. */
  overdue({ attempt, callers, phase }: Load<K, A, E>): void {
    const { options: { acquireTimeout, releaseTimeout }, timers } = this.context
    if (attempt === undefined || phase !== "running" || callers.size === 0 || attempt.deadline !== undefined) return
    const at = Math.max(attempt.startedAt + acquireTimeout, timers.now()) + releaseTimeout
    this.set(attempt, at, () => {
      this.state.loads.expel(attempt.load)
      this.cutOff(attempt.load)
    })
  }

  /** What is opened halfway only the load itself can release: it has the time of a release to come to its end. */
  abort({ attempt }: Load<K, A, E>): void {
    const { manager, options, timers } = this.context
    if (manager.release === undefined) return this.interrupt(attempt!)
    this.set(attempt!, timers.now() + options.releaseTimeout, () => this.cutOff(attempt!.load))
  }

  /**
   * Interrupts it as soon as that can be. At the end of an uninterruptible region an interruption would only take away
   * what that has opened; a load that is in one has had its time, and is abandoned.
   */
  cutOff({ attempt }: Load<K, A, E>): void {
    const { options, timers } = this.context
    const last = timers.now() + Math.min(options.releaseTimeout, longestLook)
    const look = () => {
      if (isInterruptible(attempt!.fiber!)) return this.interrupt(attempt!)
      this.abandon(attempt!)
      const next = timers.now() + lookAgainEvery
      if (next <= last) this.set(attempt!, next, look)
    }
    this.clear(attempt!)
    look()
  }

  /** It has the time of a release to stop. */
  private interrupt(attempt: Attempt<K, A, E>): void {
    const { options, timers } = this.context
    attempt.isUnwanted = true
    // Before it is interrupted: it may end within the call.
    if (!attempt.isAbandoned) this.set(attempt, timers.now() + options.releaseTimeout, () => this.abandon(attempt))
    if (attempt.together.every(({ isUnwanted }) => isUnwanted)) interruptLater(attempt.fiber!)
  }

  /** While the cache closes it is waited for as long as that can wait. */
  private abandon(attempt: Attempt<K, A, E>): void {
    const { reporter, timers } = this.context
    if (attempt.isAbandoned || !this.state.isOpen) return
    const now = timers.now()
    attempt.isAbandoned = true
    this.state.loads.abandoned.add(attempt)
    this.state.abandoned(attempt.load, now)
    reporter.abandoned(attempt, now)
  }

  private set(attempt: Attempt<K, A, E>, at: number, onDue: () => void): void {
    this.clear(attempt)
    attempt.deadline = makeDeadline(() => {
      attempt.deadline = undefined
      onDue()
    })
    this.context.timers.set(attempt.deadline, at)
  }

  clear(attempt: Attempt<K, A, E>): void {
    if (attempt.deadline !== undefined) this.context.timers.clear(attempt.deadline)
    attempt.deadline = undefined
  }
}
