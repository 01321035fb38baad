/**
 * How urgent a cleanup is among those that wait in the registry: higher ones start first, equal ones in the order they
 * were scheduled. It never changes the order inside a scope nor between a resource and what depends on it.
 */
import type { Schema } from "effect"
import { Option, Order as Order_ } from "effect"
import * as Schemas from "./internal/kernel/Schemas.js"
import { priorities } from "./internal/kernel/Vocabulary.js"

/** From the least to the most urgent: 0 to 3. */
export type CleanupPriority = (typeof priorities)[number]

/** All of them, least urgent first: the index is the number. */
export const values: readonly ["Low", "Normal", "High", "Critical"] = priorities

/** What a resource has that says nothing else. */
export const defaultPriority: CleanupPriority = "Normal"

/**
 * 0 for `Low` to 3 for `Critical`.
 *
 * ```ts
 * import { CleanupPriority } from "@patinox/core"
 *
 * console.log(CleanupPriority.toNumber("Critical")) // => 3
 * console.log(CleanupPriority.Order("Low", "High")) // => -1
 * ```
 */
export const toNumber = (self: CleanupPriority): number => values.indexOf(self)

/** The priority with that number; none where there is no such. */
export const fromNumber = (n: number): Option.Option<CleanupPriority> => Option.fromNullable(values[n])

/** Whether a value is one of the four. */
export const is = (value: unknown): value is CleanupPriority => values.includes(value as CleanupPriority)

/** `Low` is the smallest. */
export const Order: Order_.Order<CleanupPriority> = /* @__PURE__ */ (() => Order_.mapInput(Order_.number, toNumber))()

/** A priority as its name. */
export const schema: Schema.Schema<CleanupPriority> = Schemas.cleanupPriority
