/** A provider of payments, or what stands in for one: a charge takes as long as `PAYMENT_LATENCY` says. */
import { Config, Context, Effect, Layer } from "effect"

export class Payments extends Context.Tag("service/Payments")<Payments, {
  readonly charge: (order: number) => Effect.Effect<void>
}>() {}

export const layer = Layer.effect(
  Payments,
  Effect.map(
    Config.withDefault(Config.duration("PAYMENT_LATENCY"), "5 millis"),
    (latency) => ({ charge: () => Effect.sleep(latency) })
  )
)
