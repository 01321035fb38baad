/**
 * What a cache has to do with its policy: it asks for a victim, and reports what comes. A policy that a user has
 * written is kept only as long as it does what it should. Pure data.
 */
import type { CacheEntry } from "../state/CacheEntry.js"
import type { PolicyEntry } from "./EntryList.js"
import { Lru } from "./Lru.js"
import type { Bounds, PolicyState } from "./PolicyState.js"
import { WTinyLfu } from "./WTinyLfu.js"

/**
 * The next entry to go, of those not in use. A policy that names an entry which is not there, or pinned, names none.
 */
export const nextVictim = <K, A, E>(policy: PolicyState): CacheEntry<K, A, E> | undefined => {
  for (;;) {
    const victim = policy.victim() as CacheEntry<K, A, E> | undefined
    if (victim?.status !== "cached" || victim.isPinned) return undefined
    if (victim.users === 0) return victim
    victim.isPinned = true
    policy.pinned(victim)
  }
}

/** There is a new entry, which may take the place of another. */
export const enter = (policy: PolicyState, old: PolicyEntry | undefined, entry: PolicyEntry): void => {
  if (old !== undefined && policy.replaced !== undefined) return policy.replaced(old, entry)
  if (old !== undefined) policy.removed(old)
  policy.added(entry)
}

/** Our own need no guard, which every hit would pay for. */
export const guarded = (policy: PolicyState, bounds: Bounds, onBroken: (defect: unknown) => void): PolicyState =>
  policy instanceof Lru || policy instanceof WTinyLfu ? policy : new GuardedPolicy(policy, bounds, onBroken)

/**
 * Where the policy throws, or names an entry that is not there, that is reported once, and `lru` goes on with the
 * entries.
 */
class GuardedPolicy implements PolicyState {
  /** The oldest first, and whether it is pinned. */
  private readonly entries = new Map<PolicyEntry, boolean>()

  constructor(
    private policy: PolicyState,
    private readonly bounds: Bounds,
    private readonly onBroken: (defect: unknown) => void
  ) {}

  added(entry: PolicyEntry): void {
    this.entries.set(entry, false)
    this.report(() => this.policy.added(entry))
  }

  used(entry: PolicyEntry): void {
    try {
      this.policy.used(entry)
    } catch (defect) {
      this.replacePolicy(defect)
    }
  }

  victim(): PolicyEntry | undefined {
    try {
      const victim = this.policy.victim()
      if (victim === undefined || this.entries.get(victim) === false) return victim
      this.replacePolicy(new Error("it names an entry that is pinned, or not there"))
    } catch (defect) {
      this.replacePolicy(defect)
    }
    return this.policy.victim()
  }

  pinned(entry: PolicyEntry): void {
    this.entries.set(entry, true)
    this.report(() => this.policy.pinned(entry))
  }

  unpinned(entry: PolicyEntry): void {
    this.entries.set(entry, false)
    this.report(() => this.policy.unpinned(entry))
  }

  removed(entry: PolicyEntry): void {
    this.entries.delete(entry)
    this.report(() => this.policy.removed(entry))
  }

  replaced(old: PolicyEntry, entry: PolicyEntry): void {
    this.entries.delete(old)
    this.entries.set(entry, false)
    this.report(() => enter(this.policy, old, entry))
  }

  private report(of: () => void): void {
    try {
      of()
    } catch (defect) {
      this.replacePolicy(defect)
    }
  }

  private replacePolicy(defect: unknown): void {
    this.policy = new Lru(this.bounds)
    for (const [entry, isPinned] of this.entries) {
      // Whatever list it is in is out of use from now on.
      entry.list = undefined
      if (!isPinned) this.policy.added(entry)
    }
    this.onBroken(defect)
  }
}
