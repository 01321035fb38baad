/** Another party over HTTP, whose answers are errors by what can be done about them. */
import { PatinoxError } from "@patinox/core"
import { Effect } from "effect"

const errorOf = (endpoint: string, response: Response): PatinoxError.PatinoxError | undefined => {
  if (response.ok) return undefined
  switch (response.status) {
    case 429: {
      const seconds = Number(response.headers.get("retry-after") ?? 1)
      return new PatinoxError.Network({
        error: new PatinoxError.NetworkRateLimited({ endpoint, retryAfterMillis: seconds * 1000 })
      })
    }
    case 401:
      return new PatinoxError.Network({ error: new PatinoxError.Unauthorized({ endpoint }) })
    default:
      return new PatinoxError.Network({ error: new PatinoxError.ServiceUnavailable({ endpoint }) })
  }
}

export const post = (endpoint: string, body: unknown): Effect.Effect<void, PatinoxError.PatinoxError> =>
  Effect.flatMap(
    Effect.tryPromise({
      try: (signal) => fetch(endpoint, { method: "POST", body: JSON.stringify(body), signal }),
      catch: () => new PatinoxError.Network({ error: new PatinoxError.ServiceUnavailable({ endpoint }) })
    }),
    (response) => {
      const error = errorOf(endpoint, response)
      return error === undefined ? Effect.void : Effect.fail(error)
    }
  )
