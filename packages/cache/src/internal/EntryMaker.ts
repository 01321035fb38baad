/**
 * What callers get of a load or of a value that was set: an entry with its weight and its times, as the user's
 * functions say.
 */
import { PatinoxError } from "@patinox/core"
import type { Checked } from "@patinox/core/kernel"
import { Cause, Duration, Exit } from "effect"
import type { CacheContext } from "./CacheContext.js"
import { checkAnsweredIdleTime, checkAnsweredTime, checkAnsweredWeight } from "./CacheOptions.js"
import { CacheEntry, type EntryOwner } from "./state/CacheEntry.js"
import type { Keyed } from "./state/KeyMap.js"

/** A wrong answer is as a function that throws. */
const sound = (answer: Checked<number>): number => {
  if (answer instanceof PatinoxError.Validation) throw answer
  return answer
}

/** A generator of the user's may answer anything. */
const share = (random: number): number => random >= 0 && random <= 1 ? random : 0

export class EntryMaker<K, A, E> {
  constructor(
    private readonly context: CacheContext<K, A, E>,
    private readonly owner: EntryOwner<K, A, E>,
    /** From 0 to 1. */
    private readonly random: () => number
  ) {}

  /** A user's function that fails is what the load has failed with. */
  make(keyed: Keyed<K>, exit: Exit.Exit<A, E>): CacheEntry<K, A, E> {
    const { options: { expiryJitter }, timers } = this.context
    const { key } = keyed
    const now = timers.now()
    try {
      const weight = this.weigh(key, exit)
      const millis = this.timeToLive(key, exit)
      const timeToIdle = this.timeToIdle(key, exit)
      const early = expiryJitter === 0 || millis === Infinity ? 0 : expiryJitter * share(this.random())
      const expiresAt = now + millis * (1 - early)
      return new CacheEntry(this.owner, keyed, exit, { weight, writtenAt: now, expiresAt, timeToIdle })
    } catch (defect) {
      const terms = { weight: 0, writtenAt: now, expiresAt: now, timeToIdle: Infinity }
      return new CacheEntry<K, A, E>(this.owner, keyed, Exit.die(defect), terms)
    }
  }

  private weigh(key: K, exit: Exit.Exit<A, E>): number {
    const { weigher } = this.context.manager
    if (weigher === undefined) return 1
    if (Exit.isFailure(exit)) return 0
    return sound(checkAnsweredWeight(weigher(exit.value, key)))
  }

  /** In milliseconds; 0 where it is not to be kept. */
  private timeToLive(key: K, exit: Exit.Exit<A, E>): number {
    const { timeToLive } = this.context.manager
    // Its own interruption, too, says nothing of the key.
    if (Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)) return 0
    if (typeof timeToLive === "function") return sound(checkAnsweredTime(timeToLive(key, exit)))
    if (Exit.isFailure(exit)) return 0
    return timeToLive === undefined ? Infinity : Duration.toMillis(timeToLive)
  }

  /** In milliseconds. */
  private timeToIdle(key: K, exit: Exit.Exit<A, E>): number {
    const { manager: { timeToIdle }, options } = this.context
    if (typeof timeToIdle !== "function") return options.timeToIdle
    return sound(checkAnsweredIdleTime(timeToIdle(key, exit)))
  }
}
