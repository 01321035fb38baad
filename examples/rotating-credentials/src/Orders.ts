/** What the application calls. Each operation takes the token there is, and keeps it to its end. */
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type { CleanupError } from "@patinox/core"
import { Context, Effect, Layer, type Redacted } from "effect"
import { AccessToken } from "./AccessToken.js"

/** The server's refusals are among them; the token is gone only when the application closes. */
export type OrdersError = HttpClientError | CleanupError.AlreadyCleanedUp

export class Orders extends Context.Tag("rotating-credentials/Orders")<Orders, {
  readonly page: (page: number) => Effect.Effect<string, OrdersError>
  /** Page by page, each written before the next is asked for; all with one token. */
  readonly export: <E, R>(
    pages: number,
    write: (page: string) => Effect.Effect<unknown, E, R>
  ) => Effect.Effect<void, OrdersError | E, R>
}>() {}

export const layer = Layer.effect(
  Orders,
  Effect.gen(function*() {
    const token = yield* AccessToken
    const client = yield* HttpClient.HttpClient

    const fetch = (page: number, secret: Redacted.Redacted) =>
      Effect.flatMap(
        client.execute(HttpClientRequest.bearerToken(HttpClientRequest.get(`/orders/${page}`), secret)),
        (response) => response.text
      )

    return Orders.of({
      page: (page) => token.use(({ access_token }) => fetch(page, access_token)),
      export: (pages, write) =>
        token.use(({ access_token }) =>
          Effect.forEach(
            Array.from({ length: pages }, (_, index) => index + 1),
            (page) => Effect.flatMap(fetch(page, access_token), write),
            { discard: true }
          )
        )
    })
  })
)
