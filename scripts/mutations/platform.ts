/** `@patinox/platform`. */
import { mutationsOf } from "./mutation.js"

export const platform = mutationsOf("platform", [
  {
    what: "a drain does not wait for handlers whose connection is gone",
    breaks: "P3",
    at: "drain",
    find: "Effect.andThen(connections.awaitClosed, requests.awaitNone)",
    replace: "connections.awaitClosed",
    tests: ["HttpDrain"]
  },
  {
    what: "a health check runs beside itself",
    breaks: "fault",
    at: "make",
    find: "(isFresh || running !== undefined)",
    replace: "isFresh",
    tests: ["HealthCheck"]
  },
  {
    what: "/ready shows everyone why a check fails",
    breaks: "fault",
    at: "shownCheck",
    find: "options?.errors === true && error",
    replace: "error",
    tests: ["HealthApi"]
  },
  {
    what: "a full page claims that there is another",
    breaks: "fault",
    at: "pageOf",
    find: "rest.length > limit",
    replace: "rest.length >= limit",
    tests: ["ResourcePage"]
  },
  {
    what: "metrics with equal labels hide each other",
    breaks: "fault",
    at: "linesOf",
    find: "known === undefined || !adds ? value : sum",
    replace: "value",
    tests: ["PrometheusText"]
  }
])
