/** `npx tsx --conditions=source examples/tokens/src/main.ts`: two APIs, one of which issues no tokens for a while. */
import { ResourceRegistry } from "@patinox/core"
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Context, Effect, Layer, Logger, Ref, Schedule } from "effect"
// The other party, which issues tokens and knows what has become of each.
import * as AuthorizationServer from "../../rotating-credentials/src/AuthorizationServer.js"
import * as App from "./App.js"
import { call, Tokens } from "./Tokens.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const until = <A, E>(reading: Effect.Effect<A, E>, isReached: (reading: A) => boolean) =>
  Effect.repeat(reading, { until: isReached, schedule: Schedule.spaced("5 millis") })

const serve = (beforeToken: Effect.Effect<void, "unavailable">) =>
  Effect.map(
    Layer.build(AuthorizationServer.layer({ lifetime: "1 minute", beforeToken })),
    Context.get(AuthorizationServer.AuthorizationServer)
  )

const program = Effect.gen(function*() {
  const isDown = yield* Ref.make(false)
  const blue = yield* serve(Effect.flatMap(Ref.get(isDown), (is) => is ? Effect.fail("unavailable") : Effect.void))
  const green = yield* serve(Effect.void)

  const clients = Effect.all(
    Array.from({ length: 10 }, (_, n) => Effect.forever(call(n % 2 === 0 ? blue.url : green.url, "/orders/1"))),
    { concurrency: "unbounded", discard: true }
  )
  const story = Effect.gen(function*() {
    const { stats } = yield* Tokens
    yield* say("10 clients call two APIs without a pause, and tokens come and go")
    for (const { ledger } of [blue, green]) yield* until(ledger, ({ issued, live }) => issued >= 4 && live.size === 1)

    yield* say("one API issues no tokens any more")
    yield* Ref.set(isDown, true)
    yield* until(stats, ({ loadFailures }) => loadFailures >= 2)
    const [{ answered }, { issued }] = [yield* blue.ledger, yield* green.ledger]
    yield* until(blue.ledger, (now) => now.answered >= answered + 20)
    yield* until(green.ledger, (now) => now.issued > issued)
    yield* say(`  two refreshes have failed: its callers go on, and the other has new tokens`)

    yield* say("it does again")
    const before = yield* blue.ledger
    yield* Ref.set(isDown, false)
    yield* until(blue.ledger, (now) => now.issued > before.issued && now.live.size === 1)
    yield* say("  it has a new token, and the old one is revoked")
  })

  // Each token lives for a minute; to be quick, it is replaced after 100 ms. A client ends only with a call that fails.
  yield* Effect.provide(Effect.raceFirst(story, clients), App.layer({ refreshAfter: "100 millis" }))
  const ledgers = [yield* blue.ledger, yield* green.ledger]
  const [refused, left] = [
    ledgers.reduce((sum, { refused }) => sum + refused, 0),
    ledgers.reduce((sum, { live }) => sum + live.size, 0)
  ]
  yield* say(`all is closed: ${refused} calls were refused, ${left} tokens are left`)
})

/** What the cache has to tell of refreshes that fail. */
const logger = Logger.make(({ message }) => console.error([message].flat().join(" ")))

NodeRuntime.runMain(
  program.pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)),
  { loggerLayer: Logger.replace(Logger.defaultLogger, logger) }
)
