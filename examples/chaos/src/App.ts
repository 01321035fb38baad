/** The service under test: it uses every part of Patinox, each with its own faults. */
import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { ResourceRegistry } from "@patinox/core"
import * as NodeHttpServer from "@patinox/platform-node/NodeHttpServer"
import { Effect, Layer } from "effect"
import { createServer } from "node:http"
import * as Calculators from "./Calculators.js"
import * as Credentials from "./Credentials.js"
import * as Database from "./Database.js"
import { Faults } from "./Faults.js"
import * as Profiles from "./Profiles.js"

/** Whatever it ends with, nobody looks at it here: Effect's own server would. */
const answered = <E, R>(answer: Effect.Effect<unknown, E, R>) =>
  Effect.matchCauseEffect(answer, {
    onSuccess: (body) => HttpServerResponse.json(body),
    onFailure: () => HttpServerResponse.json({ failed: true }, { status: 503 })
  })

const query = Effect.map(HttpServerRequest.HttpServerRequest, ({ url }) => {
  const { searchParams } = new URL(url, "http://localhost")
  return {
    nonce: searchParams.get("nonce") ?? "",
    number: (name: string) => Number(searchParams.get(name))
  }
})

type Query = Effect.Effect.Success<typeof query>

const asked = <E, R>(answer: (query: Query) => Effect.Effect<object, E, R>) =>
  answered(Effect.flatMap(query, (asked) => Effect.map(answer(asked), (body) => ({ nonce: asked.nonce, ...body }))))

const state = Effect.gen(function*() {
  const registry = yield* ResourceRegistry.ResourceRegistry
  const { creating, destroying, idle, inUse, total, waiting } = yield* Effect.flatMap(
    Database.Database,
    (pool) => pool.snapshot
  )
  const calculators = yield* Effect.flatMap(Calculators.Calculators, (pool) => pool.snapshot)
  return {
    accounts: yield* registry.accounts,
    database: { creating, destroying, idle, inUse, total, waiting },
    calculators: { inUse: calculators.inUse, waiting: calculators.waiting, total: calculators.total }
  }
})

const router = HttpRouter.empty.pipe(
  HttpRouter.get(
    "/transfer",
    asked(({ nonce, number }) =>
      Effect.as(
        Database.transfer({ nonce, from: number("from"), to: number("to"), amount: number("amount") }),
        { done: true }
      )
    )
  ),
  HttpRouter.get("/balance", asked(({ nonce, number }) => Database.balance(number("account"), nonce))),
  HttpRouter.get(
    "/square",
    asked(({ nonce, number }) =>
      Effect.map(Calculators.square(nonce, number("n")), ({ id, square }) => ({ id, square }))
    )
  ),
  HttpRouter.get("/profile", asked(({ number }) => Profiles.read(number("id")))),
  HttpRouter.get("/credentials", asked(() => Credentials.use)),
  HttpRouter.get("/state", answered(state)),
  HttpRouter.get(
    "/faults",
    asked(({ number }) =>
      Effect.map(Faults, (faults) => {
        faults.active = number("on") === 1
        return faults.met
      })
    )
  )
)

export const layer = HttpServer.serve(router).pipe(
  HttpServer.withLogAddress,
  Layer.provide(NodeHttpServer.layer(() => createServer(), { port: 0, host: "127.0.0.1", drainTimeout: "5 seconds" })),
  Layer.provide([Database.layer, Calculators.layer, Profiles.layer, Credentials.layer]),
  Layer.provide(ResourceRegistry.layer)
)
