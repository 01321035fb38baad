/** `refreshable` and `fromScoped`. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("core")

export const refreshables = [
  mutation(
    "a refreshable releases a value that is still in use",
    "internal/Refreshing.ts",
    "if (held.isReplaced && held.users === 0)",
    "if (held.isReplaced)",
    "ResourceGuard.refreshable.using"
  ),
  mutation(
    "a refreshable does not let go of a replaced value with its last user",
    "internal/Refreshing.ts",
    "    held.entry.letGo(holder)\n    this.#retire(held)",
    "    held.entry.letGo(holder)",
    "ResourceGuard.refreshable.using"
  ),
  mutation(
    "a refresh takes what depends on the value with it",
    "internal/Refreshing.ts",
    "if (previous.entry.isUsable) handOnDependents(previous.entry, next.entry)",
    "",
    "ResourceGuard.refreshable.using"
  ),
  mutation(
    "a refreshable does not say who uses its value",
    "internal/Refreshing.ts",
    "    held.entry.hold(holder)\n",
    "",
    "ResourceGuard.refreshable.using"
  ),
  mutation(
    "two refreshes at once are two",
    "internal/Refreshing.ts",
    "this.#flight ?? this.#takeOff(new Set())",
    "this.#takeOff(new Set())",
    "ResourceGuard.refreshable"
  ),
  mutation(
    "a refresh ends with the first caller that gives up",
    "internal/Refreshing.ts",
    "=== true && flight.callers.size === 0)",
    "=== true)",
    "ResourceGuard.refreshable"
  ),
  mutation(
    "who comes while a refresh stops gets none",
    "internal/Refreshing.ts",
    "} else if (callers.size > 0) {",
    "} else if (callers.size > 99) {",
    "ResourceGuard.refreshable"
  ),
  mutation(
    "a closed refreshable goes on with its schedule",
    "internal/Refreshing.ts",
    "[flight?.fiber, this.#scheduled]",
    "[flight?.fiber]",
    "ResourceGuard.refreshable.closing"
  ),
  mutation(
    "a failed refresh ends the schedule",
    "internal/Refreshing.ts",
    "this.#goOn(driver, exit))\n        })",
    "Effect.void)\n        })",
    "ResourceGuard.refreshable.schedule"
  ),
  mutation(
    "the values of a closing refreshable wait for each other",
    "internal/Refreshing.ts",
    "values: yield* scope.fork(ExecutionStrategy.parallel)",
    "values: yield* scope.fork(ExecutionStrategy.sequential)",
    "ResourceGuard.refreshable.closing"
  ),
  mutation(
    "a refresh that ends after the close is not released",
    "internal/Refreshing.ts",
    "if (!this.#isClosed) this.#replace(held)",
    "this.#replace(held)",
    "ResourceGuard.refreshable.closing"
  ),
  mutation(
    "a scoped effect of another library cannot be interrupted",
    "internal/FromScoped.ts",
    "inScope(restore(effect), scope)",
    "inScope(effect, scope)",
    "ResourceGuard.fromScoped"
  ),
  mutation(
    "a finalizer of another library has all the time of its guard",
    "internal/FromScoped.ts",
    "finalizerTimeout: settings.attemptTimeout",
    "finalizerTimeout: settings.timeout",
    "ResourceGuard.fromScoped"
  ),
  mutation(
    "a scoped effect that fails leaves open what it had opened",
    "internal/FromScoped.ts",
    "Exit.isSuccess(exit) ? exit : Effect.andThen(Scope.close(scope, exit), exit)",
    "exit",
    "ResourceGuard.fromScoped"
  ),
  mutation(
    "a cleanup that waited for a borrower gives a scope its time once more",
    "internal/Asker.ts",
    "Math.min(run.limit, run.entry.deadline)",
    "Math.min(run.startedAt + run.entry.settings.timeout, run.entry.deadline)",
    "ResourceScope.faults"
  ),
  mutation(
    "a refresh makes a circle of dependencies",
    "internal/Acquire.ts",
    "    if (around !== undefined) return unavailable(entry, around.id, \"circular\")\n",
    "",
    "ResourceGuard.circles"
  ),
  mutation(
    "two refreshes at once make a circle of dependencies",
    "internal/Acquire.ts",
    " ?? circular(entry)\n",
    "\n",
    "ResourceGuard.circles"
  )
]
