import { expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Fault, it, TestResource } from "@patinox/vitest"
import { Context, Effect, Layer } from "effect"

class Connection extends Context.Tag("Connection")<Connection, TestResource.TestResource>() {}

it.leakFree("a connection that fails to close once is closed all the same", () =>
  Effect.gen(function*() {
    const resource = yield* TestResource.make("connection", { fault: Fault.failOnce })
    const app = resource.layer(Connection, {
      recovery: { strategy: () => "Fallback", fallback: (connection) => connection.release() }
    }).pipe(Layer.provide(ResourceRegistry.layer))
    const name = yield* Effect.provide(Effect.map(Connection, (connection) => connection.name), app)
    expect(name).toBe("connection")
    expect([resource.attempts(), resource.released()]).toEqual([2, 1])
  }))
