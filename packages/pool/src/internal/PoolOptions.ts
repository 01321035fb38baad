/** Options of a pool: defaults, and what is allowed. Pure: a bad one comes back as a `Validation`, before anything starts. */
import { CleanupPriority, PatinoxError } from "@patinox/core"
import {
  checkCount,
  checkDuration,
  type Checked,
  checkInteger,
  checkName,
  checkPause,
  checkShare,
  readOptions,
  wrongChoice
} from "@patinox/core/kernel"
import type { Duration } from "effect"
import type { PoolLimits } from "./state/PoolPorts.js"
import {
  type Capture,
  captures,
  type DrainWaiters,
  drainWaiters,
  type LeaseTimeoutAction,
  leaseTimeoutActions
} from "./state/Vocabulary.js"

/** What does not depend on the type of the items. Durations are above 0, and may be infinite. */
export interface PoolSettings {
  /** What logs, metrics, errors and the registry call it. Default: the Tag's key for a layer, else "pool". */
  readonly name?: string
  /** How many items are kept, even if idle: 0 to `maxSize`. Default 0. */
  readonly minSize?: number
  /** How many there may be, those being created and destroyed included: 1 to 100000. Default 10. */
  readonly maxSize?: number
  /**
   * How many borrowers may wait for what others hold, beside those for whom there is room or an item is being created: an
   * integer from 0, or Infinity. Default Infinity.
   */
  readonly maxWaiters?: number
  /** The deadline of a borrow, over waiting, creating and validating. Default 30 seconds. */
  readonly acquireTimeout?: Duration.DurationInput
  /** After how long a borrow is reported as slow. Default 2 seconds. */
  readonly slowBorrowAfter?: Duration.DurationInput
  /**
   * The time limit of creating an item. Shorter than a borrow's deadline, so that a borrower lives to see another attempt.
   * Default 10 seconds.
   */
  readonly createTimeout?: Duration.DurationInput
  /** Of destroying one: over all attempts. Default 5 seconds. */
  readonly destroyTimeout?: Duration.DurationInput
  /** Of validating one. Default 5 seconds. */
  readonly validateTimeout?: Duration.DurationInput
  /** Of making one fit for reuse. Default 5 seconds. */
  readonly recycleTimeout?: Duration.DurationInput
  /** Of keeping one alive. Default 5 seconds. */
  readonly keepAliveTimeout?: Duration.DurationInput
  /**
   * An item is validated when it has not been used for so long; 0: always. One whose last use failed or was interrupted is
   * validated in any case. Default 500 milliseconds.
   */
  readonly validateAfter?: Duration.DurationInput
  /** An idle item is checked when it has not been used for so long. Default 2 minutes. */
  readonly keepAliveInterval?: Duration.DurationInput
  /** Items above `minSize` are destroyed when idle for so long. Default 10 minutes. */
  readonly idleTimeout?: Duration.DurationInput
  /** An item is destroyed when it is so old, and not in use. Default 30 minutes. */
  readonly maxLifetime?: Duration.DurationInput
  /** By which share of `maxLifetime` an item may be destroyed earlier, at random: 0 to 1. Default 0.25. */
  readonly lifetimeJitter?: number
  /** After so many uses an item is destroyed: an integer from 1, or Infinity. Default Infinity. */
  readonly maxUses?: number
  /**
   * How many items are created at once: 1 to 100000; a creation that has taken 2 seconds (at most a quarter of
   * `createTimeout`) no longer counts, and another is tried beside it. Default 10.
   */
  readonly createConcurrency?: number
  /** After how many failed creations in a row borrowers fail at once: an integer from 1, or Infinity. Default 10. */
  readonly failFastAfter?: number
  /** The first pause after a failed creation; it doubles with each. Default 10 milliseconds. */
  readonly backoffFrom?: Duration.DurationInput
  /** The longest such pause. Default 5 seconds. */
  readonly backoffTo?: Duration.DurationInput
  /** For how long an item may be held, or `"off"`. Default off. */
  readonly leaseTimeout?: Duration.DurationInput | "off"
  /** What happens then: it is reported, or the item is destroyed under its holder. Default `"report"`. */
  readonly onLeaseTimeout?: LeaseTimeoutAction
  /** When a leak is suspected of an item that is held, or `"off"`. Default off. */
  readonly leakThreshold?: Duration.DurationInput | "off"
  /** Of which borrows the call is kept as a stack: of none, of every 128th, or of all. Default off. */
  readonly captureStacks?: Capture
  /** Of destroying items where the registry does so, as at its shutdown. Default `"Normal"`. */
  readonly priority?: CleanupPriority.CleanupPriority
  /** The deadline of a drain. Default 20 seconds. */
  readonly drainTimeout?: Duration.DurationInput
  /** Whether a drain fails borrowers that wait, or serves them first. Default `"fail"`. */
  readonly drainWaiters?: DrainWaiters
}

export interface ResolvedPool extends PoolLimits {
  readonly name: string
  readonly minSize: number
  readonly maxSize: number
  readonly wants: Wants
  readonly slowBorrowAfter: number
  readonly createTimeout: number
  readonly destroyTimeout: number
  readonly validateTimeout: number
  readonly recycleTimeout: number
  readonly keepAliveTimeout: number
  readonly validateAfter: number
  readonly maxLifetime: number
  readonly lifetimeJitter: number
  readonly leaseTimeout: number
  readonly onLeaseTimeout: LeaseTimeoutAction
  readonly leakThreshold: number
  readonly captureStacks: Capture
  readonly priority: CleanupPriority.CleanupPriority
  readonly drainTimeout: number
  readonly drainWaiters: DrainWaiters
}

const maxItems = 100_000

const orOff = (option: string, value: unknown): Checked<number> =>
  value === "off" ? Infinity : checkDuration(option, value)

const oneOf = (...allowed: ReadonlyArray<unknown>) => (option: string, value: unknown): Checked<unknown> =>
  wrongChoice(option, value, allowed) ?? value

const sizes = (min: number) => (option: string, value: unknown) => checkInteger(option, value, min, maxItems)
const counts = (min: number) => (option: string, value: unknown) => checkCount(option, value, min)

type Check = (option: string, value: unknown) => Checked<unknown>

/** The default and the check of each option. */
const options: { readonly [Name in keyof Required<PoolSettings>]: readonly [unknown, Check] } = {
  name: ["pool", checkName],
  minSize: [0, sizes(0)],
  maxSize: [10, sizes(1)],
  maxWaiters: [Infinity, counts(0)],
  acquireTimeout: [30_000, checkDuration],
  slowBorrowAfter: [2_000, checkDuration],
  createTimeout: [10_000, checkDuration],
  destroyTimeout: [5_000, checkDuration],
  validateTimeout: [5_000, checkDuration],
  recycleTimeout: [5_000, checkDuration],
  keepAliveTimeout: [5_000, checkDuration],
  validateAfter: [500, checkPause],
  keepAliveInterval: [120_000, checkDuration],
  idleTimeout: [600_000, checkDuration],
  maxLifetime: [1_800_000, checkDuration],
  lifetimeJitter: [0.25, checkShare],
  maxUses: [Infinity, counts(1)],
  createConcurrency: [10, sizes(1)],
  failFastAfter: [10, counts(1)],
  backoffFrom: [10, checkDuration],
  backoffTo: [5_000, checkDuration],
  leaseTimeout: ["off", orOff],
  onLeaseTimeout: ["report", oneOf(...leaseTimeoutActions)],
  leakThreshold: ["off", orOff],
  captureStacks: ["off", oneOf(...captures)],
  priority: ["Normal", oneOf(...CleanupPriority.values)],
  drainTimeout: [20_000, checkDuration],
  drainWaiters: ["fail", oneOf(...drainWaiters)]
}

export const resolve = (given: PoolSettings, hasKeepAlive: boolean, name: string): Checked<ResolvedPool> =>
  readOptions(() => resolveAll(given, hasKeepAlive, name))

const resolveAll = (given: PoolSettings, hasKeepAlive: boolean, name: string): Checked<ResolvedPool> => {
  const resolved: Record<string, unknown> = {}
  for (const [option, [byDefault, check]] of Object.entries(options)) {
    const value = given[option as keyof PoolSettings] ?? (option === "name" ? name : byDefault)
    const checked = check(option, value)
    if (checked instanceof PatinoxError.Validation) return checked
    resolved[option] = checked
  }
  if (!hasKeepAlive) resolved["keepAliveInterval"] = Infinity
  resolved["wants"] = {
    limit: resolved["acquireTimeout"],
    band: CleanupPriority.toNumber(CleanupPriority.defaultPriority)
  }
  return checkSizes(resolved["minSize"] as number, resolved["maxSize"] as number) ??
    resolved as unknown as ResolvedPool
}

const checkSizes = (minSize: number, maxSize: number): PatinoxError.Validation | undefined =>
  minSize > maxSize
    ? PatinoxError.invalidOption("minSize", minSize, `an integer from 0 to the maxSize of ${maxSize}`)
    : undefined

interface Sizes {
  readonly minSize: number
  readonly maxSize: number
}

/** New sizes, each checked on its own and against the other, which may be the one that stays. */
export const resolveSizes = (given: Partial<Sizes>, current: Sizes): Checked<Sizes> => {
  const read = readOptions(() => ({ minSize: given.minSize, maxSize: given.maxSize }))
  if (read instanceof PatinoxError.Validation) return read
  const { maxSize = current.maxSize, minSize = current.minSize } = read
  for (const [option, value, min] of [["minSize", minSize, 0], ["maxSize", maxSize, 1]] as const) {
    const checked = checkInteger(option, value, min, maxItems)
    if (checked instanceof PatinoxError.Validation) return checked
  }
  if (read.minSize === undefined && minSize > maxSize) {
    const range = `an integer from the minSize of ${minSize} to ${maxItems}`
    return PatinoxError.invalidOption("maxSize", maxSize, range)
  }
  return checkSizes(minSize, maxSize) ?? { minSize, maxSize }
}

/** How a drain differs from the pool's options. */
export interface DrainOptions {
  readonly timeout?: Duration.DurationInput
  readonly waiters?: DrainWaiters
}

export interface ResolvedDrain {
  readonly timeout: number
  readonly waiters: DrainWaiters
}

export const resolveDrain = (
  options: DrainOptions | undefined,
  defaults: Pick<ResolvedPool, "drainTimeout" | "drainWaiters">
): Checked<ResolvedDrain> => {
  const read = readOptions(() => ({ timeout: options?.timeout, waiters: options?.waiters }))
  if (read instanceof PatinoxError.Validation) return read
  const { timeout = defaults.drainTimeout, waiters = defaults.drainWaiters } = read
  const limit = checkDuration("timeout", timeout)
  if (limit instanceof PatinoxError.Validation) return limit
  return wrongChoice("waiters", waiters, drainWaiters) ?? { timeout: limit, waiters }
}

/** How a single borrow differs from the pool's. */
export interface BorrowOptions {
  /** Instead of the pool's. */
  readonly acquireTimeout?: Duration.DurationInput
  /**
   * A borrower with a higher priority is served first. A borrower that waits rises by one for each eighth of its deadline
   * (at most 5 seconds), so that all are served in the end. Default `"Normal"`.
   */
  readonly priority?: CleanupPriority.CleanupPriority
}

/** What a borrower wants: an item within so many milliseconds, and how urgently. */
export interface Wants {
  readonly limit: number
  readonly band: number
}

export const resolveBorrow = (options: BorrowOptions | undefined, { wants }: ResolvedPool): Checked<Wants> => {
  if (options === undefined) return wants
  const read = readOptions(() => ({ acquireTimeout: options.acquireTimeout, priority: options.priority }))
  if (read instanceof PatinoxError.Validation) return read
  const { acquireTimeout, priority = CleanupPriority.defaultPriority } = read
  const limit = acquireTimeout === undefined ? wants.limit : checkDuration("acquireTimeout", acquireTimeout)
  if (limit instanceof PatinoxError.Validation) return limit
  return wrongChoice("priority", priority, CleanupPriority.values) ??
    { limit, band: CleanupPriority.toNumber(priority) }
}
