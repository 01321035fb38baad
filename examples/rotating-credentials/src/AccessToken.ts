/**
 * The token that calls are made with: replaced ahead of its expiry, and revoked when its last user is gone. A call keeps
 * its token for as long as it takes, so `ahead` has to be longer than that. A process that is killed revokes nothing.
 */
import * as HttpClient from "@effect/platform/HttpClient"
import type { HttpClientError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import { ResourceGuard } from "@patinox/core"
import { type Cause, Context, Data, Duration, Effect, Exit, type ParseResult, Schedule, Schema } from "effect"

/** As OAuth names it; the lifetime is in seconds. */
const Token = Schema.Struct({ access_token: Schema.Redacted(Schema.String), expires_in: Schema.Number })
type Token = typeof Token.Type

export class TokenUnavailable extends Data.TaggedError("TokenUnavailable")<{
  readonly cause: HttpClientError | ParseResult.ParseError | Cause.TimeoutException
}> {
  override get message(): string {
    const { cause } = this
    return `No token: ${cause._tag === "ResponseError" ? `the server answers ${cause.response.status}` : cause.message}`
  }
}

export class AccessToken extends Context.Tag("rotating-credentials/AccessToken")<
  AccessToken,
  ResourceGuard.Refreshable<Token, TokenUnavailable>
>() {}

export interface Pace {
  /** How long before its expiry a token is replaced. */
  readonly ahead: Duration.DurationInput
  /** The pause after a refresh that failed, and the shortest there is. */
  readonly retryAfter: Duration.DurationInput
}

const pause = ({ ahead, retryAfter }: Pace) =>
  Exit.match({
    onFailure: () => retryAfter,
    onSuccess: ({ expires_in }: Token) =>
      Duration.max(Duration.subtract(Duration.seconds(expires_in), ahead), retryAfter)
  })

/**
 * In a fiber of its own, which only its time limit interrupts: a request that is given up may have been granted, and
 * nobody would revoke that token.
 */
const issue = HttpClient.post("/token").pipe(
  Effect.flatMap(HttpClientResponse.schemaBodyJson(Token)),
  Effect.timeout("5 seconds"),
  Effect.interruptible,
  Effect.disconnect,
  Effect.mapError((cause) => new TokenUnavailable({ cause }))
)

const revoke = ({ access_token }: Token) =>
  HttpClient.execute(HttpClientRequest.bearerToken(HttpClientRequest.del("/token"), access_token))

export const layer = (pace: Pace) =>
  ResourceGuard.layerRefreshable(AccessToken, issue, revoke, {
    schedule: Schedule.addDelay(Schedule.identity<Exit.Exit<Token, unknown>>(), pause(pace)),
    interruptible: true,
    timeout: "20 seconds",
    // For as long as the time limit allows. What is not revoked by then is a dead letter of the registry's, and expires.
    recovery: { strategy: () => "Retry", retry: Schedule.spaced(pace.retryAfter) }
  })
