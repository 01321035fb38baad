/** Who may see what the service is made of: who has the token. */
import { HttpApiError, HttpApiMiddleware, HttpApiSecurity } from "@effect/platform"
import { Config, Effect, Layer, Redacted } from "effect"
import { createHash, timingSafeEqual } from "node:crypto"

export class Authorization extends HttpApiMiddleware.Tag<Authorization>()("service/Authorization", {
  failure: HttpApiError.Unauthorized,
  security: { bearer: HttpApiSecurity.bearer }
}) {}

const digest = (token: Redacted.Redacted) => createHash("sha256").update(Redacted.value(token)).digest()

export const layer = Layer.effect(
  Authorization,
  Effect.map(Config.redacted("TOKEN"), (expected) => ({
    // Takes as long for any token, so that nobody learns from the time.
    bearer: (token: Redacted.Redacted) =>
      timingSafeEqual(digest(token), digest(expected)) ? Effect.void : Effect.fail(new HttpApiError.Unauthorized())
  }))
)
