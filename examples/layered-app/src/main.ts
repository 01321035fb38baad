/** `npx tsx --conditions=source examples/layered-app/src/main.ts`: a transfer, told on the terminal as the app closes. */
import { ResourceRegistry } from "@patinox/core"
import { Effect, Layer } from "effect"
import { Accounts } from "./Accounts.js"
import * as App from "./App.js"
import { Transport } from "./Mailer.js"

const ToTerminal = Layer.succeed(Transport, {
  send: (mails) => Effect.forEach(mails, ({ text, to }) => Effect.sync(() => console.log(`to ${to}: ${text}`)))
})

const program = Effect.gen(function*() {
  const accounts = yield* Accounts
  yield* accounts.open("Ada", 100)
  yield* accounts.open("Grace", 0)
  yield* accounts.transfer("Ada", "Grace", 30)
  console.log(`Ada has ${yield* accounts.balance("Ada")}`)
})

await Effect.runPromise(
  program.pipe(
    Effect.provide(App.layer(":memory:")),
    Effect.provide(Layer.merge(ToTerminal, ResourceRegistry.layer))
  )
)
