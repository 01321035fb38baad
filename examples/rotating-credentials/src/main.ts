/**
 * `npx tsx --conditions=source examples/rotating-credentials/src/main.ts`: calls whose tokens rotate meanwhile.
 * With the URL of a server it calls that server until a signal ends it.
 */
import { runMain } from "@effect/platform-node/NodeRuntime"
import { ResourceRegistry } from "@patinox/core"
import { Cause, Effect, Layer, Logger, Option, Ref, Schedule } from "effect"
import { AccessToken } from "./AccessToken.js"
import * as App from "./App.js"
import * as AuthorizationServer from "./AuthorizationServer.js"
import { Orders } from "./Orders.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const until = <A, E>(reading: Effect.Effect<A, E>, isReached: (reading: A) => boolean) =>
  Effect.repeat(reading, { until: isReached, schedule: Schedule.spaced("5 millis") })

/** They end only with a call that fails. */
const clients = Effect.flatMap(
  Orders,
  ({ page }) =>
    Effect.all(Array.from({ length: 10 }, () => Effect.forever(page(1))), { concurrency: "unbounded", discard: true })
)

const story = (isDown: Ref.Ref<boolean>) =>
  Effect.gen(function*() {
    const { ledger } = yield* AuthorizationServer.AuthorizationServer
    const { snapshot } = yield* AccessToken
    const orders = yield* Orders
    const tokenOf = (page: string) => page.split(" for ")[1]!
    const stateOf = (token: string) => Effect.map(ledger, ({ live }) => live.has(token) ? "live" : "revoked")

    yield* say("10 clients call without a pause, and an export begins")
    const used: Array<string> = []
    yield* orders.export(2, (page) =>
      Effect.gen(function*() {
        used.push(tokenOf(page))
        const { issued } = yield* ledger
        const next = `token-${issued + 1}`
        yield* until(ledger, (now) => now.issued >= issued + 2 && !now.live.has(next))
        const own = yield* stateOf(used[0]!)
        yield* say(`page ${used.length}: two newer tokens have come, the first is revoked; the export's is ${own}`)
      }))
    yield* until(ledger, ({ live }) => !live.has(used[0]!))
    yield* say(`the export has ended; it used ${new Set(used).size} token, now ${yield* stateOf(used[0]!)}`)

    yield* Ref.set(isDown, true)
    yield* until(snapshot, ({ failures }) => failures >= 1)
    const before = tokenOf(yield* orders.page(1))
    yield* until(snapshot, ({ failures }) => failures >= 3)
    const { lastFailure } = yield* snapshot
    const why = Option.map(Cause.failureOption(lastFailure!.cause), ({ message }) => message)
    yield* say(`3 refreshes have failed. ${Option.getOrThrow(why)}`)
    yield* say(`calls go on with ${tokenOf(yield* orders.page(1)) === before ? "the token there is" : "another token"}`)
    yield* Ref.set(isDown, false)
    yield* until(snapshot, ({ failures }) => failures === 0)
    yield* say("the server is back, and a refresh has succeeded")
    yield* until(ledger, ({ answered }) => answered >= 200)
  })

const layer = (url: string) =>
  // Each token lives for a minute; to be quick, the story replaces it after 100 ms.
  Layer.provide(App.layer(url, { ahead: "59900 millis", retryAfter: "20 millis" }), ResourceRegistry.layer)

const withServer = Effect.flatMap(Ref.make(false), (isDown) =>
  Effect.gen(function*() {
    const { ledger, url } = yield* AuthorizationServer.AuthorizationServer
    yield* Effect.provide(Effect.raceFirst(story(isDown), clients), layer(url))
    const { live, refused } = yield* ledger
    yield* say(`all is closed: ${refused} calls were refused, ${live.size} tokens are left`)
  }).pipe(Effect.provide(AuthorizationServer.layer({
    lifetime: "1 minute",
    beforeToken: Effect.flatMap(Ref.get(isDown), (is) => is ? Effect.fail("unavailable" as const) : Effect.void)
  }))))

/** What the registry has to tell of refreshes that fail. */
const logger = Logger.make(({ cause, message }) => {
  console.error([message, ...Cause.prettyErrors(cause).map((error) => error.message)].flat().join(": "))
})

const url = process.argv[2]
runMain(
  Effect.provide(
    url === undefined ? withServer : Effect.provide(clients, layer(url)),
    Logger.replace(Logger.defaultLogger, logger)
  ),
  { disablePrettyLogger: true }
)
