/** Functions of users that throw, also what Effect's own loop does not survive: a proxy whose every trap throws. */
import { ResourceRegistry } from "@patinox/core"
import { Effect, Hash } from "effect"
import { eachThrowing } from "../../../scripts/testing/userFunctions.js"
import { ResourcePool } from "../src/index.js"

/** What fails once has failed: what a borrower is told is asked for here, not how often it is tried. */
const once = { failFastAfter: 1 }

type Use = Effect.Effect<unknown, unknown>

/** What a borrower of such a pool does, and whether that can come to a good end. */
const pools: Readonly<Record<string, (boom: () => never) => Effect.Effect<readonly [Use, boolean], unknown, any>>> = {
  "create": (boom) =>
    Effect.map(ResourcePool.make(boom as () => Use, once), (pool) => [pool.use(() => Effect.void), false] as const),
  "a keyed create": (boom) =>
    Effect.map(
      ResourcePool.keyed(boom as (key: string) => Use, once),
      (pool) => [pool.use("key", () => Effect.void), false] as const
    ),
  "the hash of a key": (boom) =>
    Effect.map(
      ResourcePool.keyed(() => Effect.succeed(1)),
      (pool) => [Effect.scoped(pool.get({ [Hash.symbol]: boom })), false] as const
    ),
  "a getter of a borrower's options": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1)),
      (pool) => [pool.use(() => Effect.void, Object.defineProperty({}, "priority", { get: boom })), false] as const
    ),
  "a getter of a drain's options": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1)),
      (pool) => [pool.drain(Object.defineProperty({}, "timeout", { get: boom })), false] as const
    ),
  "a getter of new sizes": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1)),
      (pool) => [pool.resize(Object.defineProperty({}, "maxSize", { get: boom })), false] as const
    ),
  "a getter of a pool's options": (boom) =>
    Effect.succeed(
      [
        Effect.provide(
          Effect.scoped(ResourcePool.make(Effect.succeed(1), Object.defineProperty({}, "maxSize", { get: boom }))),
          ResourceRegistry.layer
        ),
        false
      ] as const
    ),
  "use": (boom) => Effect.map(ResourcePool.make(Effect.succeed(1)), (pool) => [pool.use(boom), false] as const),
  "recycle": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1), { recycle: boom }),
      (pool) => [pool.use(() => Effect.void), true] as const
    ),
  "destroy": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1), { destroy: boom }),
      (pool) => [pool.use((_, { invalidate }) => invalidate), true] as const
    ),
  "validate": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1), { validate: boom, validateAfter: 0, maxSize: 1, ...once }),
      (pool) => [pool.use(() => Effect.void), false] as const
    ),
  "invalidateWhen": (boom) =>
    Effect.map(
      ResourcePool.make(Effect.succeed(1), { invalidateWhen: boom }),
      (pool) => [pool.use(() => Effect.fail("mine")), false] as const
    )
}

eachThrowing("a pool", pools, "hangs nobody, and leaves the pool whole")
