/** Each rule catches what it forbids, and lets the allowed form of it pass. */
import path from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { checkRules, rules } from "./check.js"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..")

interface Fixture {
  readonly rule: string
  readonly path?: string
  readonly code: string
}

const effect = (body: string) =>
  `import { Deferred, Effect, Either, Fiber, Option, pipe, Ref } from "effect"
export const types = [Deferred, Effect, Either, Fiber, Option, pipe, Ref]
${body}
`
const gen = (body: string) => effect(`export const program = Effect.gen(function*() {\n${body}\n})`)

const violations: ReadonlyArray<Fixture> = [
  { rule: "stm-in-queue", code: `import { STM } from "effect"` },
  { rule: "stm-in-queue", code: `import { type TRef as Cell } from "effect"` },
  { rule: "stm-in-queue", code: `import * as Queue from "effect/TPriorityQueue"` },
  { rule: "stm-in-queue", code: `export type Cell = import("effect").TRef.TRef<number>` },
  { rule: "insides-in-seam", code: `import { FiberRef } from "effect"` },
  { rule: "insides-in-seam", code: `export { Runtime } from "effect"` },
  { rule: "insides-in-seam", code: `import type * as Refs from "effect/FiberRefs"` },
  { rule: "insides-in-seam", code: `import { withFiberRuntime } from "effect/Effect"` },
  { rule: "insides-in-seam", code: `import { unsafeMake } from "effect/Ref"` },
  { rule: "unsafe-in-seam", code: `import { Context } from "effect"\nexport const get = Context.unsafeGet` },
  { rule: "unsafe-in-seam", code: effect(`export const make = Ref["unsafeMake"]`) },
  { rule: "unsafe-in-seam", code: effect(`export const run = Effect.withFiberRuntime`) },
  { rule: "suspending-in-seam", code: effect(`export const wait = Effect.async<void>(() => {})`) },
  { rule: "suspending-in-seam", code: effect(`export const wait = Effect["asyncEffect"]`) },
  { rule: "suspending-in-seam", code: `import { async as wait } from "effect/Effect"` },
  { rule: "values-are-no-effects", code: gen(`yield* yield* Ref.make(1)`) },
  { rule: "values-are-no-effects", code: gen(`const gate = yield* Deferred.make<void>()\nyield* gate`) },
  { rule: "values-are-no-effects", code: gen(`const fiber = yield* Effect.fork(Effect.void)\nyield* fiber`) },
  { rule: "values-are-no-effects", code: gen(`return yield* Option.some(1)`) },
  { rule: "values-are-no-effects", code: gen(`return yield* Either.right(1)`) },
  { rule: "values-are-no-effects", code: effect(`export const f = (d: Deferred.Deferred<void>) => Effect.fork(d)`) },
  { rule: "values-are-no-effects", code: effect(`export const f = (r: Ref.Ref<number>) => Effect.map(r, (n) => n)`) },
  { rule: "values-are-no-effects", code: effect(`export const f = (d: Deferred.Deferred<void>) => Effect.all([d])`) },
  { rule: "values-are-no-effects", code: effect(`export const f = (d: Fiber.Fiber<void>) => Effect.all({ d })`) },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = (d: Deferred.Deferred<void>) => Effect.flatMap(Effect.void, () => d)`)
  },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = (d: Deferred.Deferred<void>) => Effect.andThen(Effect.void, d)`)
  },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = Effect.void.pipe(Effect.andThen(() => Option.some(1)))`)
  },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = (r: Ref.Ref<number>) => r.pipe(Effect.map((n) => n))`)
  },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = (r: Ref.Ref<number>) => pipe(r, Effect.map((n) => n))`)
  },
  {
    rule: "values-are-no-effects",
    code: effect(`export const f = (o: Option.Option<number>): Effect.Effect<number, unknown> => o`)
  },
  { rule: "portable-effect", code: effect(`export class S extends Effect.Service<S>()("S", { succeed: {} }) {}`) },
  { rule: "portable-effect", code: effect(`export class S extends Effect.Tag("S")<S, {}>() {}`) },
  { rule: "portable-effect", code: effect(`export const f = Effect.void.pipe(Effect.zipRight(Effect.void))`) },
  { rule: "ambient-in-seam", code: `setTimeout(() => {}, 1)` },
  { rule: "ambient-in-seam", code: `export const start = globalThis.setInterval` },
  { rule: "ambient-in-seam", code: `export const now = Date.now()` },
  { rule: "ambient-in-seam", code: `export const now = new Date()` },
  { rule: "ambient-in-seam", code: `export const now = performance.now()` },
  { rule: "ambient-in-seam", code: `export const pick = Math.random` },
  { rule: "no-foreign-inside", code: `import "@patinox/core/internal/Seam"` },
  { rule: "no-foreign-inside", code: `export * from "../../core/src/ResourceGuard.js"` },
  {
    rule: "no-foreign-inside",
    path: "examples/violation/src/main.ts",
    code: `await import("../../../packages/core/src/internal/Seam.js")`
  },
  {
    rule: "layers-go-down",
    path: "packages/core/src/internal/kernel/A.ts",
    code: `import { close } from "../scope/B.js"`
  },
  { rule: "layers-go-down", path: "packages/pool/src/internal/state/A.ts", code: `export * from "../Pool.js"` },
  { rule: "every-test-runs", path: "packages/violation/test/a.test.ts", code: `it.only("a", () => {})` },
  { rule: "every-test-runs", path: "packages/violation/test/b.test.ts", code: `it.effect.skip("a", () => {})` },
  { rule: "every-test-runs", path: "examples/violation/c.test.ts", code: `describe.only.each([1])("a", () => {})` },
  { rule: "every-test-runs", path: "packages/violation/test/d.test.ts", code: `it("a", { skip: true }, () => {})` },
  { rule: "every-test-runs", path: "packages/violation/typetest/e.tst.ts", code: `test.skip("a", () => {})` },
  { rule: "no-utils", path: "packages/violation/src/utils.ts", code: "" },
  { rule: "no-utils", path: "packages/violation/test/utils/names.ts", code: "" }
]

const allowed: ReadonlyArray<{ readonly path?: string; readonly code: string }> = [
  {
    path: "packages/allowed/src/internal/registry/CleanupQueue.ts",
    code: `export { STM, TPriorityQueue } from "effect"`
  },
  {
    path: "packages/allowed/src/internal/effect3/Fibers.ts",
    code: `import { Context, Effect, FiberRef } from "effect"
export const ref = FiberRef.unsafeMake(Context.unsafeGet)
export const wait = Effect.async
setTimeout(() => Date.now() + performance.now(), Math.random())`
  },
  {
    code: gen(`const ref = yield* Ref.make(Option.some(1))
const gate = yield* Deferred.make<number>()
const fiber = yield* Effect.fork(Deferred.await(gate))
yield* Effect.succeed(gate)
yield* Effect.map(Ref.get(ref), Option.getOrThrow)
yield* pipe(Fiber.join(fiber), Effect.andThen(() => Ref.get(ref)))
const sum = Option.gen(function*() {
  return yield* Option.some(1)
})
return { gate, ref, sum, at: new Date(0) }`)
  },
  { path: "packages/allowed/test/a.test.ts", code: `import "../src/internal/A.js"\nit.skipIf(true)("a", () => {})` },
  { path: "examples/allowed/main.ts", code: `setTimeout(() => {}, Date.now())` }
]

const boilerplate = /^(import \{ Def.*|export const (types|program).*|\}\)|)$/

const at = <F extends { readonly path?: string; readonly code: string }>(kind: string, fixtures: ReadonlyArray<F>) =>
  fixtures.map((fixture, index) => {
    const path = fixture.path ?? `packages/${kind}/src/Fixture${index}.ts`
    const title = fixture.code.split("\n").filter((line) => !boilerplate.test(line)).join(" ") || path
    return { ...fixture, path, title }
  })

const bad = at("violation", violations)
const good = at("allowed", allowed)
const overlay = Object.fromEntries([...bad, ...good].map(({ code, path }) => [path, code]))
const findings = checkRules(root, Object.keys(overlay), overlay)

describe("a rule catches", () => {
  it.each(bad)("$rule: $title", (fixture) => {
    const caught = findings.filter((finding) => finding.file === fixture.path).map((finding) => finding.rule)
    expect(caught).toContain(fixture.rule)
  })

  it("something, for every rule there is", () => {
    const proven = new Set(violations.map(({ rule }) => rule))
    expect(rules.map(({ name }) => name).filter((name) => !proven.has(name))).toEqual([])
  })
})

describe("no rule catches", () => {
  it.each(good)("the allowed form in $path", (fixture) => {
    expect(findings.filter((finding) => finding.file === fixture.path)).toEqual([])
  })
})
