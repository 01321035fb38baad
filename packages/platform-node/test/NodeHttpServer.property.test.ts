import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { connect, request, responses } from "./rawHttp.js"
import { outcomes, serve, usePool } from "./served.js"

const Count = (min: number, max: number) => Schema.Int.pipe(Schema.between(min, max))

/** One connection: what is asked on it at once, and when its client goes, counted in requests that began anywhere. */
const Client = Schema.Struct({
  asks: Schema.Array(Schema.Struct({
    answer: Schema.Literal("text", "stream", "large", "fail", "die"),
    /** How many turns the handler takes. */
    turns: Count(0, 20)
  })).pipe(Schema.minItems(1), Schema.maxItems(3)),
  /** Where what it sends is cut in two. */
  cut: Count(0, 100),
  goesAfter: Schema.NullOr(Count(0, 10)),
  goes: Schema.Literal("ends", "resets")
})

const Run = Schema.Struct({
  clients: Schema.Array(Client).pipe(Schema.minItems(1), Schema.maxItems(8)),
  /** The scope closes when so many requests have begun, or as soon as everybody is connected. */
  drainsAfter: Count(0, 8)
})

const turns = (count: number) => Effect.repeatN(Effect.yieldNow(), count)

const large = new Uint8Array(3 * 1024 * 1024)

it.live.prop(
  "whatever clients do, what begins is finished before what it uses is released, and answered if they stay",
  [
    Run
  ],
  ([run]) =>
    Effect.gen(function*() {
      let begun = 0
      let ended = 0
      const begunBy = run.clients.map(() => 0)
      const began: Array<() => void> = []
      const draining = yield* Deferred.make<void>()

      const app = Effect.gen(function*() {
        const { url } = yield* HttpServerRequest.HttpServerRequest
        const [, client, ask] = url.split("/").map(Number)
        begunBy[client!]!++
        begun++
        yield* Effect.addFinalizer(() => Effect.andThen(Effect.orDie(usePool), Effect.sync(() => ended++)))
        if (begun > run.drainsAfter) yield* Deferred.succeed(draining, undefined)
        for (const tell of began) tell()
        const { answer, turns: count } = run.clients[client!]!.asks[ask!]!
        yield* turns(count)
        yield* usePool
        switch (answer) {
          case "text":
            return HttpServerResponse.text("text")
          case "large":
            return HttpServerResponse.uint8Array(large)
          case "stream":
            return HttpServerResponse.stream(
              Stream.encodeText(Stream.tap(Stream.make("a", "b", "c"), () => turns(3)))
            )
          case "fail":
            return yield* Effect.fail("refused")
          case "die":
            return yield* Effect.die("a defect")
        }
      })

      // No grace: the drain ends by itself, or the test does not.
      const served = yield* serve(app, { keepAliveGrace: 0, drainTimeout: "1 hours" })
      const clients = yield* Effect.forEach(run.clients, () => connect(served.port))
      const closing = yield* Effect.fork(Effect.andThen(Deferred.await(draining), served.close))
      if (run.drainsAfter === 0) yield* Deferred.succeed(draining, undefined)
      run.clients.forEach(({ asks, cut, goes, goesAfter }, index) => {
        const { send, socket } = clients[index]!
        const text = asks.map((_, ask) => request(`/${index}/${ask}`)).join("")
        send(text.slice(0, cut), text.slice(cut))
        if (goesAfter === null) return
        began.push(() => {
          if (begun <= goesAfter) return
          if (goes === "ends") socket.destroy()
          else socket.resetAndDestroy()
        })
      })
      // Where fewer requests begin, it closes once all are answered.
      yield* Effect.forEach(
        clients,
        (client, index) => client.until((text) => responses(text) === run.clients[index]!.asks.length),
        { concurrency: "unbounded" }
      )
      yield* Deferred.succeed(draining, undefined)
      const texts = yield* Effect.forEach(clients, (client) => client.closed, { concurrency: "unbounded" })
      yield* Fiber.join(closing)
      expect(ended).toBe(begun)
      expect(served.pool).toMatchObject({ lateUses: 0, isOpen: false })
      expect(yield* outcomes(served)).toEqual({ HttpServer: "cleaned", HttpListener: "cleaned", Pool: "cleaned" })
      run.clients.forEach(({ goesAfter }, index) => {
        if (goesAfter === null) expect(responses(texts[index]!)).toBe(begunBy[index])
      })
    }),
  { fastCheck: { numRuns: 30 }, timeout: 120_000 }
)
