/**
 * `it` of `@effect/vitest` with `it.leakFree`: a test that also fails when it leaves a guard behind. As `it.effect` it
 * provides no scope: a scope that outlives the registry of the test would be a leak in itself.
 */
import { makeMethods, type Vitest } from "@effect/vitest"
import { Effect, type TestServices } from "effect"
import { it as vitestIt, type TestContext, type TestOptions } from "vitest"
import { leakFree, type LeakFreeOptions } from "./LeakCheck.js"

/** Options of vitest's for one test, and those of the check; a number is a timeout in milliseconds. */
export type LeakFreeTestOptions = number | (TestOptions & LeakFreeOptions)

/** The form of a test that must not leak. */
export interface LeakFreeTest<R> {
  <A, E>(
    name: string,
    self: (context: TestContext) => Effect.Effect<A, E, R>,
    options?: LeakFreeTestOptions
  ): void
}

/** A test that must not leak, and the variants of it. */
export interface LeakFreeTester<R> extends LeakFreeTest<R> {
  /** Passes where the test fails, a leak included. */
  readonly fails: LeakFreeTest<R>
  /** One test for each value. */
  readonly each: <T>(cases: ReadonlyArray<T>) => <A, E>(
    name: string,
    self: (value: T) => Effect.Effect<A, E, R>,
    options?: LeakFreeTestOptions
  ) => void
}

/** `it.leakFree`: with the test services, and as `.live` with the real ones. */
export interface LeakFree extends LeakFreeTester<TestServices.TestServices> {
  readonly live: LeakFreeTester<never>
}

const checkOf = (options: LeakFreeTestOptions | undefined): LeakFreeOptions =>
  typeof options === "object" ? options : {}

const vitestOf = (options: LeakFreeTestOptions | undefined): number | TestOptions => {
  if (typeof options !== "object") return options ?? {}
  const { allowEmpty, allowShutdown, ...rest } = options
  return rest
}

const testOf = <R>(run: Vitest.Test<R>): LeakFreeTest<R> => (name, self, options) =>
  run(name, (context) => leakFree(Effect.suspend(() => self(context)), checkOf(options)), vitestOf(options))

const testerOf = <R>(tester: Vitest.Tester<R>): LeakFreeTester<R> =>
  Object.assign(testOf(tester), {
    fails: testOf(tester.fails),
    each: <T>(cases: ReadonlyArray<T>): ReturnType<LeakFreeTester<R>["each"]> => (name, self, options) =>
      tester.each(cases)(
        name,
        (value) => leakFree(Effect.suspend(() => self(value as never)), checkOf(options)),
        vitestOf(options)
      )
  }) as LeakFreeTester<R>

// A copy of vitest's `it`: the one that others import stays as it is.
const base: Vitest.Methods = /* @__PURE__ */ makeMethods(/* @__PURE__ */ vitestIt.extend({}) as never)

/**
 * As `it` of `@effect/vitest`, with `leakFree`:
 *
 * ```ts test
 * import { expect } from "@effect/vitest"
 * import { ResourceGuard, ResourceRegistry } from "@patinox/core"
 * import { it } from "@patinox/vitest"
 * import { Effect } from "effect"
 *
 * it.leakFree("closes its connection", () =>
 *   Effect.gen(function*() {
 *     const connection = yield* ResourceGuard.acquireRelease(Effect.succeed("open"), () => Effect.void)
 *     expect(connection).toBe("open")
 *   }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
 * ```
 */
export const it: Vitest.Methods & { readonly leakFree: LeakFree } = /* @__PURE__ */ Object.assign(base, {
  leakFree: /* @__PURE__ */ Object.assign(/* @__PURE__ */ testerOf(base.effect), {
    live: /* @__PURE__ */ testerOf(base.live)
  })
})
