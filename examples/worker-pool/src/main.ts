/** `npx tsx --conditions=source examples/worker-pool/src/main.ts`: jobs in threads, two of which do not come to a good end. */
import { ResourceRegistry } from "@patinox/core"
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Effect, Fiber, Layer, Stream } from "effect"
import { hash, HashWorkers, layer } from "./HashWorkers.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const story = Effect.gen(function*() {
  const pool = yield* HashWorkers
  const reasons: Array<string> = []
  const listener = yield* Effect.fork(Stream.runForEach(pool.events, (event) =>
    Effect.sync(() => {
      if (event._tag === "Removed") reasons.push(event.reason)
    })))

  yield* say("ten texts are hashed side by side")
  const texts = Array.from({ length: 10 }, (_, n) => `text ${n}`)
  const digests = yield* Effect.forEach(texts, (text) => hash({ text, rounds: 1_000 }), { concurrency: "unbounded" })
  const { total } = yield* pool.snapshot
  yield* say(`  ${new Set(digests).size} digests, ${total} workers`)

  yield* say("a job crashes its worker")
  const crashed = yield* Effect.flip(hash({ text: "text", rounds: 0 }))
  yield* say(`  ${crashed._tag}: ${crashed.message}`)
  yield* say(`  the next job: ${(yield* hash({ text: "text", rounds: 1 })).slice(0, 8)}`)

  yield* say("a job never ends")
  const silent = yield* Effect.flip(hash({ text: "text", rounds: Infinity }, "200 millis"))
  yield* say(`  ${silent._tag}: ${silent.message}`)
  yield* say(`  the next job: ${(yield* hash({ text: "text", rounds: 1 })).slice(0, 8)}`)

  yield* say("the end")
  const { destroyed, failed } = yield* pool.drain()
  yield* Fiber.join(listener)
  yield* say(`  terminated ${destroyed}, failed ${failed.length}`)
  yield* say(`  workers were destroyed for: ${reasons.join(", ")}`)
})

NodeRuntime.launch(Layer.provide(layer(), ResourceRegistry.layer), { main: story })
