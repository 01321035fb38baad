/** Credentials that are renewed all the time. No user may see them revoked during a use. */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect, Schedule } from "effect"
import { Faults } from "./Faults.js"

interface Secret {
  readonly number: number
  isValid: boolean
}

export class Credentials
  extends Context.Tag("chaos/Credentials")<Credentials, ResourceGuard.Refreshable<Secret, unknown>>()
{}

let issued = 0

/** The first is issued whatever happens: a service that does not start is no test. */
const issue = Effect.gen(function*() {
  const { untellable } = yield* Faults
  if (issued > 0) yield* untellable(0.2)
  return { number: ++issued, isValid: true }
})

const revoke = (secret: Secret) =>
  Effect.gen(function*() {
    const { untellable } = yield* Faults
    secret.isValid = false
    yield* untellable(0.05)
  })

export const layer = ResourceGuard.layerRefreshable(Credentials, issue, revoke, {
  schedule: Schedule.spaced("100 millis")
})

export const use = Effect.flatMap(
  Credentials,
  (credentials) =>
    credentials.use((secret) =>
      Effect.map(Effect.sleep("10 millis"), () => ({ number: secret.number, isValid: secret.isValid }))
    )
)
