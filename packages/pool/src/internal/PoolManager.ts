/** What a pool does with its items, with everything that its functions need provided. */
import type { CleanupError } from "@patinox/core"
import type { Cause, Effect, Exit, Scope } from "effect"
import type { ItemHandle, ItemInfo } from "./Item.js"

export interface PoolManager<A, E> {
  /** Notes the item in the very step in which it exists. */
  readonly create: (
    note: (value: A) => Effect.Effect<void>,
    handle: ItemHandle
  ) => Effect.Effect<void, E, Scope.Scope>
  readonly destroy?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly forceDestroy?: (
    item: A,
    error: CleanupError.ReleaseError<unknown>,
    info: ItemInfo
  ) => Effect.Effect<unknown, unknown>
  readonly validate?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly recycle?: (item: A, exit: Exit.Exit<unknown, unknown>, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly keepAlive?: (item: A, info: ItemInfo) => Effect.Effect<unknown, unknown>
  readonly invalidateWhen?: (cause: Cause.Cause<unknown>) => boolean
}
