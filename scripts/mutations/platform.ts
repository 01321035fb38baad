/** What drains a server, and what tells of a process's health. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("platform")

export const platform = [
  mutation(
    "a drain does not wait for handlers whose connection is gone",
    "HttpDrain.ts",
    "Effect.andThen(connections.awaitClosed, requests.awaitNone)",
    "connections.awaitClosed",
    "HttpDrain"
  ),
  mutation(
    "a drain is over before its guard's limit is looked at",
    "HttpDrain.ts",
    "    yield* Effect.yieldNow()\n",
    "",
    "HttpDrain"
  ),
  mutation(
    "a drain has a third of its time",
    "HttpDrain.ts",
    "    attemptTimeout: timeout,\n",
    "",
    "HttpDrain"
  ),
  mutation(
    "a check runs beside itself",
    "internal/CheckRun.ts",
    "(isFresh || running !== undefined)",
    "isFresh",
    "HealthCheck"
  ),
  mutation(
    "a check that timed out passes",
    "HealthApi.ts",
    "status === \"passing\")\n",
    "status !== \"failing\")\n",
    "HealthApi"
  ),
  mutation(
    "/ready tells everybody why a check fails",
    "HealthApi.ts",
    "options?.errors === true && error",
    "error",
    "HealthApi"
  ),
  mutation(
    "a page of resources begins with the last of the one before",
    "internal/ResourcePage.ts",
    "compare(one, from) > 0",
    "compare(one, from) >= 0",
    "ResourcePage"
  ),
  mutation(
    "a full page says that there is another",
    "internal/ResourcePage.ts",
    "rest.length > limit",
    "rest.length >= limit",
    "ResourcePage"
  ),
  mutation(
    "metrics that differ in nothing hide each other",
    "PrometheusText.ts",
    "known === undefined || !adds ? value : sum",
    "value",
    "PrometheusText"
  )
]
