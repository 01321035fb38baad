/** What the parts of one cache share: what it was given, where it runs, and to whom it reports. */
import type { ResourceRegistry } from "@patinox/core"
import type { AppRuntime, Timers } from "@patinox/core/kernel"
import type { Scope } from "effect"
import type { CacheManager } from "./CacheManager.js"
import type { CacheMetrics } from "./CacheMetrics.js"
import type { ResolvedCache } from "./CacheOptions.js"
import type { CacheReporter } from "./CacheReporter.js"

/** What fibers of a cache that serve no one caller have. */
export type Env = ResourceRegistry.ResourceRegistry | Scope.Scope

export interface CacheContext<K, A, E> {
  readonly options: ResolvedCache
  readonly manager: CacheManager<K, A, E>
  readonly timers: Timers
  readonly runtime: AppRuntime<Env>
  readonly reporter: CacheReporter
  readonly metrics: CacheMetrics
  /** Values are not released, and so not counted as in use. */
  readonly isPlain: boolean
}
