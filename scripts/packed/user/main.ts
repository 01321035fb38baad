import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Context, Effect } from "effect"

class Connection extends Context.Tag("user/Connection")<
  Connection,
  { readonly query: (text: string) => Effect.Effect<string> }
>() {}

const ConnectionLive = ResourceGuard.layer(
  Connection,
  Effect.sync(() => {
    console.log("opened")
    return { query: (text: string) => Effect.succeed(`answer to ${text}`) }
  }),
  () => Effect.sync(() => console.log("closed"))
)

const program = Effect.gen(function*() {
  const connection = yield* Connection
  console.log(yield* connection.query("a question"))
})

await Effect.runPromise(program.pipe(Effect.provide(ConnectionLive), Effect.provide(ResourceRegistry.layer)))
