/** What the service offers, as data: orders, and its health. */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "@effect/platform"
import { HealthApi } from "@patinox/platform"
import { Schema } from "effect"
import { Authorization } from "./Authorization.js"

export const NewOrder = Schema.Struct({
  item: Schema.NonEmptyString.pipe(Schema.maxLength(100)),
  quantity: Schema.Int.pipe(Schema.between(1, 1_000))
})

export const Order = Schema.Struct({
  ...NewOrder.fields,
  id: Schema.Int,
  status: Schema.Literal("pending", "paid")
})

export class OrderNotFound extends Schema.TaggedError<OrderNotFound>()(
  "OrderNotFound",
  { id: Schema.Int },
  HttpApiSchema.annotations({ status: 404 })
) {}

const orders = HttpApiGroup.make("orders")
  .add(HttpApiEndpoint.post("place", "/orders").setPayload(NewOrder).addSuccess(Order, { status: 201 }))
  .add(
    HttpApiEndpoint.get("find", "/orders/:id")
      .setPath(Schema.Struct({ id: Schema.NumberFromString.pipe(Schema.int()) }))
      .addSuccess(Order)
      .addError(OrderNotFound)
  )

export const Api = HttpApi.make("service").add(orders).add(HealthApi.open).add(HealthApi.guarded(Authorization))
