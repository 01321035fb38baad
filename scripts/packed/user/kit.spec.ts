import { expect, it } from "@effect/vitest"
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import * as kit from "@patinox/vitest"
import { Effect } from "effect"

it.effect("a resource is released when its scope closes", () =>
  Effect.gen(function*() {
    expect(Object.keys(kit)).not.toEqual([])
    let released = 0
    const acquire = Effect.succeed("resource")
    const release = () => Effect.sync(() => void released++)
    yield* Effect.scoped(ResourceGuard.acquireRelease(acquire, release))
    expect(released).toBe(1)
  }).pipe(Effect.provide(ResourceRegistry.layer)))
