/**
 * The identity of one acquired resource: a UUID as branded text. Two resources never share one, however equal their
 * values are; spans, events, errors and reports all carry it. Ids come from `Generator`, which tests replace by
 * `sequential` to read the same ids in every run.
 */
import type { Schema } from "effect"
import { Brand, Context, Effect, Equivalence as Equivalence_, Order as Order_ } from "effect"
import * as Schemas from "./internal/Schemas.js"

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

/** Where ids come from: each call of `next` must give a new one. */
export interface Generator {
  readonly next: () => ResourceId
}

/** The generator in use; random (version 4) UUIDs unless another is provided. */
export const Generator = /* @__PURE__ */ Context.Reference<Generator>()("@patinox/core/ResourceId/Generator", {
  defaultValue: (): Generator => ({ next: random })
})

const digits = /* @__PURE__ */ Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0))
/** Of the text that is being made: the digits change, the dashes stay. */
const codes = /* @__PURE__ */ Array.from({ length: 36 }, () => 45)
const pool = /* @__PURE__ */ new Uint8Array(4_096)
let used = 4_096

/**
 * A random UUID of one flat text: that of `crypto.randomUUID` is a chain of pieces in V8, which takes 480 bytes for as
 * long as it lives, twelve times as long to make, and three times as long to look up.
 */
const random = (): ResourceId => {
  if (used === pool.length) {
    globalThis.crypto.getRandomValues(pool)
    used = 0
  }
  const start = used
  used += 16
  pool[start + 6] = (pool[start + 6]! & 0x0f) | 0x40
  pool[start + 8] = (pool[start + 8]! & 0x3f) | 0x80
  for (let i = 0, at = 0; i < 16; i++) {
    const byte = pool[start + i]!
    codes[at++] = digits[byte >> 4]!
    codes[at++] = digits[byte & 15]!
    if (i === 3 || i === 5 || i === 7 || i === 9) at++
  }
  // oxlint-disable-next-line unicorn/prefer-spread -- a spread takes twice as long
  return String.fromCharCode.apply(undefined, codes) as ResourceId
}

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
export const sequential = (prefix = 0): Generator => {
  const hex = (n: number, digits: number) => n.toString(16).padStart(digits, "0")
  let last = 0
  return { next: () => ResourceId(`${hex(prefix >>> 0, 8)}-0000-4000-8000-${hex(++last, 12)}`) }
}

/** By text. */
export const Order: Order_.Order<ResourceId> = /* @__PURE__ */ (() => Order_.string)()

/** By text. */
export const Equivalence: Equivalence_.Equivalence<ResourceId> = /* @__PURE__ */ (() => Equivalence_.string)()
