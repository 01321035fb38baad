/** What the parts of a pool share, beside its state: what they are set to, run on and report to. */
import type { ResourceRegistry } from "@patinox/core"
import { type AppRuntime, type Timers } from "@patinox/core/kernel"
import type { PoolMetrics } from "./PoolMetrics.js"
import type { ResolvedPool } from "./PoolOptions.js"
import type { PoolReporter } from "./PoolReporter.js"

export interface PoolContext {
  readonly options: ResolvedPool
  readonly timers: Timers
  readonly runtime: AppRuntime<ResourceRegistry.ResourceRegistry>
  /** From 0 to 1. */
  readonly random: () => number
  readonly reporter: PoolReporter
  readonly metrics: PoolMetrics
}
