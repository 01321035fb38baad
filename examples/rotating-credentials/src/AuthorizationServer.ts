/**
 * The other party: issues tokens, answers who has one, and knows what has become of each. It numbers its tokens; those of
 * a real one cannot be guessed.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as HttpRouter from "@effect/platform/HttpRouter"
import { formatAddress } from "@effect/platform/HttpServer"
import { HttpServerRequest } from "@effect/platform/HttpServerRequest"
import * as Response from "@effect/platform/HttpServerResponse"
import { Clock, Context, Duration, Effect, Layer, Ref } from "effect"
import { createServer } from "node:http"

export interface Ledger {
  readonly issued: number
  /** Those that are not revoked, and when each expires or has expired, in milliseconds since the epoch. */
  readonly live: ReadonlyMap<string, number>
  readonly answered: number
  /** Calls that got a 401: their token was revoked, expired or none. */
  readonly refused: number
}

export class AuthorizationServer extends Context.Tag("rotating-credentials/AuthorizationServer")<AuthorizationServer, {
  readonly url: string
  readonly ledger: Effect.Effect<Ledger>
}>() {}

export interface Behaviour {
  readonly lifetime: Duration.DurationInput
  /** Before a token is issued or revoked; where it fails, the answer is a 503. Default: nothing. */
  readonly beforeToken?: Effect.Effect<unknown, "unavailable">
  /** While a call is answered. Default: nothing. */
  readonly duringCall?: Effect.Effect<unknown>
}

const bearer = Effect.map(HttpServerRequest, ({ headers }) => headers["authorization"]?.replace(/^Bearer /, "") ?? "")

const routes = (
  ledger: Ref.Ref<Ledger>,
  { beforeToken = Effect.void, duringCall = Effect.void, lifetime }: Behaviour
) => {
  const issue = Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Ref.modify(ledger, (known) => {
      const [issued, token] = [known.issued + 1, `token-${known.issued + 1}`]
      const live = new Map(known.live).set(token, now + Duration.toMillis(lifetime))
      const body = { access_token: token, expires_in: Duration.toSeconds(lifetime) }
      return [Response.unsafeJson(body), { ...known, issued, live }]
    }))

  const revoke = Effect.flatMap(bearer, (revoked) => {
    const without = (live: Ledger["live"]) => new Map([...live].filter(([token]) => token !== revoked))
    return Effect.as(Ref.update(ledger, (known) => ({ ...known, live: without(known.live) })), Response.empty())
  })

  const isGood = (token: string) =>
    Effect.zipWith(Clock.currentTimeMillis, Ref.get(ledger), (now, { live }) => now < (live.get(token) ?? now))
  const count = (what: "answered" | "refused") => Ref.update(ledger, (known) => ({ ...known, [what]: known[what] + 1 }))

  const call = Effect.gen(function*() {
    const token = yield* bearer
    const wasGood = yield* isGood(token)
    yield* duringCall
    // Looked at once more: a token must be good for as long as the call takes.
    if (!wasGood || !(yield* isGood(token))) return yield* Effect.as(count("refused"), Response.empty({ status: 401 }))
    const { page } = yield* HttpRouter.params
    return yield* Effect.as(count("answered"), Response.text(`page ${page} for ${token}`))
  })

  /** To its end, though the client may have hung up. */
  const ready = <E, R>(respond: Effect.Effect<Response.HttpServerResponse, E, R>) =>
    Effect.uninterruptible(Effect.matchEffect(beforeToken, {
      onFailure: () => Effect.succeed(Response.empty({ status: 503 })),
      onSuccess: () => respond
    }))

  return HttpRouter.empty.pipe(
    HttpRouter.post("/token", ready(issue)),
    HttpRouter.del("/token", ready(revoke)),
    HttpRouter.get("/orders/:page", call)
  )
}

export const layer = (behaviour: Behaviour) =>
  Layer.scoped(
    AuthorizationServer,
    Effect.gen(function*() {
      const ledger = yield* Ref.make<Ledger>({ issued: 0, live: new Map(), answered: 0, refused: 0 })
      const node = createServer()
      const server = yield* NodeHttpServer.make(() => node, { port: 0, host: "127.0.0.1" })
      // A connection that a client has opened and not used yet would be waited for.
      yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
      yield* server.serve(routes(ledger, behaviour))
      return { url: formatAddress(server.address), ledger: Ref.get(ledger) }
    })
  )
