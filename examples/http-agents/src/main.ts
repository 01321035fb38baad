/** `npx tsx --conditions=source examples/http-agents/src/main.ts`: two origins, one of which stops to answer. */
import { ResourceRegistry } from "@patinox/core"
import { Effect, Schedule } from "effect"
import { Agents, get, layer } from "./Agents.js"
import * as Origin from "./Origin.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const until = <A>(reading: Effect.Effect<A>, isReached: (reading: A) => boolean) =>
  Effect.repeat(reading, { until: isReached, schedule: Schedule.spaced("5 millis") })

const story = Effect.gen(function*() {
  const agents = yield* Agents
  let unanswered = 0
  const blue = yield* Origin.start((request, response) => {
    if (request.url === "/silent") unanswered++
    else response.end("blue")
  })
  const green = yield* Origin.start((_, response) => response.end("green"))

  yield* say("a hundred requests to each of two origins")
  for (const { connections, url } of [blue, green]) {
    const answers = yield* Effect.forEach(Array.from({ length: 100 }), () => get(url), { concurrency: "unbounded" })
    yield* say(`  ${answers.length} times ${answers[0]!.body} over ${(yield* connections).accepted} connections`)
  }

  yield* say("blue does not answer any more")
  yield* Effect.scoped(Effect.gen(function*() {
    const silent = new URL("/silent", blue.url)
    yield* Effect.forEach([silent, silent], (url) => Effect.forkScoped(get(url)))
    yield* until(Effect.sync(() => unanswered), (count) => count === 2)
    const late = yield* Effect.flip(get(blue.url, { acquireTimeout: "200 millis" }))
    yield* say(`  ${late._tag}: ${late.message.replace(blue.url.origin, "blue")}`)
    yield* say(`  and the other is ${(yield* get(green.url)).body}`)
  }))

  yield* say("nobody asks for a while")
  yield* until(agents.keys, (keys) => keys.length === 0)
  yield* until(Effect.all([blue.connections, green.connections]), (both) => both.every(({ open }) => open === 0))
  yield* say("  every connection is closed")
})

await Effect.runPromise(
  Effect.scoped(story).pipe(
    Effect.provide(layer({ keyIdleTimeout: "300 millis" })),
    Effect.provide(ResourceRegistry.layer)
  )
)
