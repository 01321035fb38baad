/** The close of a scope, with a report of every outcome in it. */
import { Effect, type Exit } from "effect"
import * as CleanupReport from "../../CleanupReport.js"
import type { ManagedScope } from "./ManagedScope.js"
import type { ResolvedScope } from "./ScopeOptions.js"

export const closeAndReport = (
  scope: ManagedScope,
  exit: Exit.Exit<unknown, unknown>,
  options: ResolvedScope
): Effect.Effect<CleanupReport.CleanupReport> =>
  Effect.uninterruptible(Effect.map(Effect.exit(scope.closeWith(exit, options)), () => reportOf(scope, options)))

export const reportOf = ({ report }: ManagedScope, { timeout }: ResolvedScope): CleanupReport.CleanupReport =>
  report ?? CleanupReport.make({ records: [], durationMillis: 0, deadlineMillis: timeout, deadlineReached: false })
