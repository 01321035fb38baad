/** Shows `UserFunction`. */
import { describe, expect, it } from "@effect/vitest"
import { Untellable } from "@patinox/vitest"
import { Cause, Effect, Exit, Logger } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

type Release = () => Effect.Effect<void, unknown>

const throwing = (value: unknown) => (): never => {
  throw value
}

/** The ways in which a user's release comes to an untellable value. */
const releases: Readonly<Record<string, (value: unknown) => Release>> = {
  "fails with": (value) => () => Effect.failCause(Cause.fail(value)),
  "dies of": (value) => () => Effect.failCause(Cause.die(value)),
  "throws": (value) => throwing(value),
  // Effect's own loop does not survive some of these; the fiber goes on all the same.
  "throws inside its effect": (value) => () => Effect.sync(throwing(value))
}

const cases = Object.keys(releases).flatMap((how) => Untellable.forms.map((form) => [how, form] as const))

const quiet = Logger.remove(Logger.defaultLogger)

describe("a release ends untellably", () => {
  it.effect.each(cases)(
    "one that %s a value of the form %s is a failed cleanup, and the others run",
    ([how, form]) =>
      Effect.gen(function*() {
        const released: Array<string> = []
        const guard = (typeName: string, release: Release) => ResourceGuard.make(Effect.void, release, { typeName })
        const healthy = (name: string) => guard(name, () => Effect.sync(() => void released.push(name)))
        const registry = yield* ResourceRegistry.ResourceRegistry
        const fallbacks = yield* Effect.scoped(Effect.gen(function*() {
          let calls = 0
          yield* healthy("first")
          yield* ResourceGuard.make(Effect.void, releases[how]!(Untellable.make(form)), {
            typeName: "untellable",
            recovery: {
              strategy: () => "Fallback",
              fallback: () => {
                calls++
                return releases[how]!(Untellable.make(form))()
              }
            }
          })
          yield* healthy("last")
          return () => calls
        }))
        expect(fallbacks()).toBe(1)
        expect(released).toEqual(["last", "first"])
        expect(yield* registry.accounts).toMatchObject({ registered: 3, live: 0, cleaned: 2, failed: 1, cleaning: 0 })
      }).pipe(Effect.provide(ResourceRegistry.layer), Effect.provide(quiet))
  )
})

describe("a function of the user's throws what cannot be told", () => {
  const boomOf = (form: Untellable.Form) => throwing(Untellable.make(form))
  const guard = ResourceGuard.make(Effect.succeed(1), () => Effect.void)
  type Use = Effect.Effect<unknown, unknown, any>

  const functions: Readonly<Record<string, (boom: () => never) => Use>> = {
    "ResourceGuard.use": (boom) => ResourceGuard.use(Effect.void, () => Effect.void)(boom),
    "a guard's use": (boom) => Effect.flatMap(guard, (made) => made.use(boom)),
    "a guard's update": (boom) => Effect.flatMap(guard, (made) => made.update(boom)),
    "a refreshable's use": (boom) =>
      Effect.flatMap(ResourceGuard.refreshable(Effect.void, () => Effect.void), (made) => made.use(boom)),
    "the predicate of cleanupWhere": (boom) =>
      Effect.andThen(
        guard,
        Effect.flatMap(ResourceRegistry.ResourceRegistry, (registry) => registry.cleanupWhere(boom))
      )
  }
  const all = Object.keys(functions).flatMap((which) =>
    (["error", "proxy", "revoked"] as const).map((form) => [which, form] as const)
  )

  it.live.each(all)(
    "%s dies of a value of the form %s, and what it held is released",
    ([which, form]) =>
      Effect.gen(function*() {
        const registry = yield* ResourceRegistry.ResourceRegistry
        const used = Effect.scoped(functions[which]!(boomOf(form))) as Effect.Effect<unknown, unknown>
        // Not in the first turn of its fiber, where there would be somebody to catch what its loop lets out.
        const exit = yield* Effect.exit(Effect.andThen(Effect.yieldNow(), used))
        expect(Exit.isFailure(exit) && Cause.isDieType(exit.cause)).toBe(true)
        expect(yield* registry.accounts).toMatchObject({ registered: 1, live: 0, cleaned: 1 })
      }).pipe(Effect.provide(ResourceRegistry.layer), Effect.provide(quiet))
  )
})
