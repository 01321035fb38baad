/**
 * The identity of one acquired resource: a UUID as branded text. Two resources never share one, however equal their
 * values are; spans, events, errors and reports all carry it. Ids come from `Generator`, which tests replace by
 * `sequential` to read the same ids in every run.
 */
import type { Schema } from "effect"
import { Brand, Context, Effect, Equivalence as Equivalence_, Order as Order_ } from "effect"
import * as Schemas from "./internal/kernel/Schemas.js"

/** A UUID that identifies a resource. */
export type ResourceId = string & Brand.Brand<"ResourceId">

/**
 * Takes text for an id; throws `BrandErrors` where it is not a UUID (`.option` and `.either` do not throw).
 * Either case is accepted and kept; ids are compared as text.
 *
 * ```ts
 * import { ResourceId } from "@patinox/core"
 *
 * const id = ResourceId.ResourceId("7b0a3a52-6b0f-4c1e-9d55-2f3a6c1b8e90")
 * console.log(id) // => 7b0a3a52-6b0f-4c1e-9d55-2f3a6c1b8e90
 * console.log(ResourceId.is("not an id")) // => false
 * ```
 */
export const ResourceId: Brand.Brand.Constructor<ResourceId> = /* @__PURE__ */ Brand.refined<ResourceId>(
  (text) => is(text),
  (text) => Brand.error(`Expected a UUID as a resource id, got ${JSON.stringify(text)}`)
)

const uuid = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i

/** Whether a value is the text of a UUID. */
export const is = (value: unknown): value is ResourceId => typeof value === "string" && uuid.test(value)

/** A `ResourceId` as the text it is. */
export const schema: Schema.Schema<ResourceId, string> = Schemas.resourceId

/**
 * Where ids come from: each call of `next` must give a new id. Where it throws, or gives an id that is in use, a
 * registry takes a random id instead.
 */
export interface Generator {
  readonly next: () => ResourceId
}

/** Ids that begin with 24 characters of their own and end with a count: random ones each cost a tenth of a guard. */
const counting = (start: string): Generator => {
  let count = 0
  return { next: () => (start + (++count).toString(16).padStart(12, "0")) as ResourceId }
}

/** The generator in use: UUIDs (version 4) whose first half and more is random for the process; the rest counts. */
export const Generator = /* @__PURE__ */ Context.Reference<Generator>()("@patinox/core/ResourceId/Generator", {
  defaultValue: (): Generator => counting(globalThis.crypto.randomUUID().slice(0, 24))
})

/**
 * A new id from the `Generator` in context.
 *
 * ```ts
 * import { ResourceId } from "@patinox/core"
 * import { Effect } from "effect"
 *
 * const program = Effect.provideService(ResourceId.generate, ResourceId.Generator, ResourceId.sequential())
 * console.log(Effect.runSync(program)) // => 00000000-0000-4000-8000-000000000001
 * ```
 */
export const generate: Effect.Effect<ResourceId> = /* @__PURE__ */ Effect.map(
  /* @__PURE__ */ Effect.context<never>(),
  (context) => Context.get(context, Generator).next()
)

/**
 * A generator for tests: valid version 4 ids that count up in their last group, with `prefix` (0) as the first group,
 * so that two of them do not meet. They sort in the order they were made.
 */
export const sequential = (prefix = 0): Generator =>
  counting(`${(prefix >>> 0).toString(16).padStart(8, "0")}-0000-4000-8000-`)

/** By text. */
export const Order: Order_.Order<ResourceId> = /* @__PURE__ */ (() => Order_.string)()

/** By text. */
export const Equivalence: Equivalence_.Equivalence<ResourceId> = /* @__PURE__ */ (() => Equivalence_.string)()
