/** The parts of one cache, put together: its state, and what carries its decisions out. */
import type { AppRuntime } from "@patinox/core/kernel"
import type { PolicyState } from "../CachePolicy.js"
import { Batches } from "./Batches.js"
import type { CacheContext } from "./CacheContext.js"
import { EntryMaker } from "./EntryMaker.js"
import { GivenValues } from "./GivenValues.js"
import { Loader } from "./Loader.js"
import { LoadLimits } from "./LoadLimits.js"
import { guarded } from "./policy/GuardedPolicy.js"
import { Refusals } from "./Refusals.js"
import { Registrar } from "./Registrar.js"
import { Releaser } from "./Releaser.js"
import { RemovalListener } from "./RemovalListener.js"
import { CacheState } from "./state/CacheState.js"

export interface CacheParts<K, A, E> {
  readonly context: CacheContext<K, A, E>
  readonly state: CacheState<K, A, E>
  readonly loader: Loader<K, A, E>
  readonly limits: LoadLimits<K, A, E>
  readonly registrar: Registrar<K, A, E>
  readonly releaser: Releaser<K, A, E>
  readonly given: GivenValues<K, A, E>
  readonly refusals: Refusals
  /** Those that wait for the counts to change. */
  readonly waiters: Set<() => void>
}

/** What of a cache is chosen once. */
export interface Choices {
  /** As the options' policy has made it. */
  readonly policy: PolicyState
  /** From 0 to 1. */
  readonly random: () => number
}

export const assemble = <K, A, E>(
  context: CacheContext<K, A, E>,
  { policy, random }: Choices
): CacheParts<K, A, E> => {
  const { manager, metrics, options, reporter, runtime, timers } = context
  const waiters = new Set<() => void>()
  const state: CacheState<K, A, E> = new CacheState<K, A, E>(
    {
      load: (load) => loader.start(load),
      abort: (load) => limits.abort(load),
      removed: (entry, reason) => listener.removed(entry, reason),
      release: (entry) => releaser.start(entry),
      dueAt: (entry, at) => timers.set(entry, at),
      now: () => timers.now(),
      updateGauges: () => metrics.updateGauges(state.occupancy),
      notifyWaiters: () => {
        for (const look of waiters) look()
      }
    },
    options,
    {
      canExpire: manager.timeToLive !== undefined,
      agesIdle: typeof manager.timeToIdle === "function" || options.timeToIdle < Infinity,
      policy: guarded(policy, options, (defect) => reporter.policyFailed(options.policy.name, defect))
    }
  )
  const limits = new LoadLimits(context, state)
  const releaser = new Releaser(context, state)
  const registrar = new Registrar(context, releaser)
  const maker = new EntryMaker(context, state, random)
  const batches = new Batches(runtime as AppRuntime<never>)
  const loader = new Loader(context, { state, batches, limits, maker, registrar })
  const listener = new RemovalListener(context, state)
  const refusals = new Refusals(options.name, state, reporter)
  const given = new GivenValues(context, { state, maker, registrar, closed: () => refusals.closed() })
  return { context, state, loader, limits, registrar, releaser, given, refusals, waiters }
}
