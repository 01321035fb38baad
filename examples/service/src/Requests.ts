/** Counts requests: how many were accepted, and how many were answered to the last byte. Told when the service has ended. */
import { HttpMiddleware, HttpServerRequest } from "@effect/platform"
import { NodeHttpServerRequest } from "@effect/platform-node"
import { Context, Effect, Layer } from "effect"

export class Requests extends Context.Tag("service/Requests")<Requests, { accepted: number; answered: number }>() {}

export const layer = Layer.scoped(
  Requests,
  Effect.acquireRelease(
    Effect.sync(() => ({ accepted: 0, answered: 0 })),
    ({ accepted, answered }) => Effect.log(`requests: ${accepted} accepted, ${answered} answered`)
  )
)

export const counted = HttpMiddleware.make((app) =>
  Effect.gen(function*() {
    const requests = yield* Requests
    const response = NodeHttpServerRequest.toServerResponse(yield* HttpServerRequest.HttpServerRequest)
    requests.accepted++
    response.once("close", () => {
      if (response.writableFinished) requests.answered++
    })
    return yield* app
  })
)
