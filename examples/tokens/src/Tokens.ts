/**
 * A token for each API that is called, looked up when that is first called. While it is called its token is refreshed ahead
 * of its expiry, in the background; an API without calls costs nothing. Each is revoked when it is
 * replaced or has expired, but after its last user.
 *
 * For a single token that must be there before the first call, see `../rotating-credentials`.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { type CacheError, ResourceCache } from "@patinox/cache"
import { type Cause, Context, Data, Duration, Effect, Exit, type ParseResult, Schedule, Schema } from "effect"

/** As OAuth names it; the lifetime is in seconds. */
const Token = Schema.Struct({ access_token: Schema.Redacted(Schema.String), expires_in: Schema.Number })
type Token = typeof Token.Type

export class TokenUnavailable extends Data.TaggedError("TokenUnavailable")<{
  readonly api: string
  readonly cause: HttpClientError | ParseResult.ParseError | Cause.TimeoutException
}> {
  override get message(): string {
    const { api, cause } = this
    return `No token for ${api}: ${
      cause._tag === "ResponseError" ? `the server answers ${cause.response.status}` : cause.message
    }`
  }
}

/** By the URL of the API. */
export class Tokens
  extends Context.Tag("tokens/Tokens")<Tokens, ResourceCache.ResourceCache<string, Token, TokenUnavailable>>()
{}

/**
 * In a fiber of its own, which only its time limit interrupts: a request that is given up may have been granted, and
 * nobody would revoke that token.
 */
const issue = (api: string) =>
  HttpClient.post(`${api}/token`).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Token)),
    Effect.timeout("5 seconds"),
    Effect.interruptible,
    Effect.disconnect,
    Effect.mapError((cause) => new TokenUnavailable({ api, cause }))
  )

/** Time limits and retries interrupt it. */
const revoke = ({ access_token }: Token, api: string) =>
  Effect.interruptible(
    HttpClient.execute(HttpClientRequest.bearerToken(HttpClientRequest.del(`${api}/token`), access_token))
  )

/** What a token has left when it is too old to be given away: longer than any call takes. */
const margin = Duration.seconds(10)

export const layer = (settings: ResourceCache.CacheSettings = {}) =>
  ResourceCache.layer(Tokens, issue, {
    timeToLive: (_, exit) =>
      Exit.isSuccess(exit) ? Duration.subtract(Duration.seconds(exit.value.expires_in), margin) : Duration.zero,
    refreshAfter: "30 seconds",
    // It is good in truth: for the first half of the margin nobody waits, and in the second it is better than an error.
    staleWhileRevalidate: Duration.times(margin, 0.5),
    staleOnError: margin,
    timeToIdle: "10 minutes",
    release: revoke,
    releaseTimeout: "10 seconds",
    recovery: { strategy: () => "Retry", retry: Schedule.spaced("1 second") },
    ...settings
  })

/** With one token from its beginning to its end. */
export const call = (
  api: string,
  path: string
): Effect.Effect<
  string,
  HttpClientError | TokenUnavailable | CacheError.CacheError,
  Tokens | HttpClient.HttpClient
> =>
  Effect.flatMap(Tokens, (tokens) =>
    tokens.use(api, ({ access_token }) =>
      Effect.flatMap(
        HttpClient.execute(HttpClientRequest.bearerToken(HttpClientRequest.get(`${api}${path}`), access_token)),
        (response) => response.text
      )))
