/**
 * What the tests of Effect's `ManagedRuntime` promise to its users, asked of it and of a ResourceRuntime; more of the same
 * kind is in `ResourceRuntime.test.ts`.
 */
import { Context, Effect, Either, FiberRef, FiberRefs, Layer, List, ManagedRuntime, type Runtime } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceRuntime } from "../../src/index.js"

interface Subject<R> {
  readonly self: unknown
  readonly memoMap: Layer.MemoMap
  readonly runFork: (effect: Effect.Effect<unknown, unknown, R>) => unknown
  readonly runSync: <A, E>(effect: Effect.Effect<A, E, R>) => A
  readonly runtimeEffect: Effect.Effect<Runtime.Runtime<R>, unknown>
  readonly run: <A, E2>(effect: Effect.Effect<A, E2, R>) => Effect.Effect<A>
  readonly dispose: Effect.Effect<unknown>
}

type Part = <R, E>(layer: Layer.Layer<R, E>, memoMap?: Layer.MemoMap) => Subject<R>

type Common<R> = Omit<Subject<R>, "self" | "run" | "dispose"> & {
  readonly runPromise: <A, E>(effect: Effect.Effect<A, E, R>) => Promise<A>
  readonly disposeEffect: Effect.Effect<unknown>
}

const subjectOf = <R>({ disposeEffect, memoMap, runFork, runPromise, runSync, runtimeEffect }: Common<R>) => ({
  memoMap,
  runFork,
  runSync,
  runtimeEffect,
  run: <A, E>(effect: Effect.Effect<A, E, R>) => Effect.promise(() => runPromise(effect)),
  dispose: disposeEffect
})

const { differs, same } = beside<Part>({
  effects: (layer, memoMap) => {
    const self = ManagedRuntime.make(layer, memoMap)
    return { ...subjectOf(self), self }
  },
  ours: (layer, memoMap) => {
    const self = ResourceRuntime.make(layer, memoMap && { memoMap })
    return { ...subjectOf(self), self }
  }
})

const text = Context.GenericTag<string>("text")

const counted = () => {
  const counts = { built: 0 }
  return { counts, layer: Layer.effectDiscard(Effect.sync(() => counts.built++)) }
}

same(
  "builds its layer once for all runs",
  (make) =>
    Effect.gen(function*() {
      const { counts, layer } = counted()
      const runtime = make(layer)
      for (let i = 0; i < 3; i++) yield* runtime.run(Effect.void)
      yield* runtime.dispose
      return counts.built
    }),
  1
)

same(
  "runs with the services of its layer",
  (make) => {
    const runtime = make(Layer.succeed(text, "given"))
    return Effect.zipLeft(runtime.run(text), runtime.dispose)
  },
  "given"
)

same(
  "runs with the FiberRefs that its layer sets",
  (make) => {
    const runtime = make(Layer.setRequestCaching(true))
    return Effect.zipLeft(runtime.run(FiberRef.get(FiberRef.currentRequestCacheEnabled)), runtime.dispose)
  },
  true
)

same(
  "shares layers with another runtime that was made with its memo map",
  (make) =>
    Effect.gen(function*() {
      const { counts, layer } = counted()
      const first = make(layer)
      const second = make(layer, first.memoMap)
      for (const { run } of [first, second]) yield* run(Effect.void)
      for (const { dispose } of [first, second]) yield* dispose
      return counts.built
    }),
  1
)

same(
  "gives its runtime inside of Effect",
  (make) => Effect.map(make(Layer.succeed(text, "given")).runtimeEffect, ({ context }) => Context.get(context, text)),
  "given"
)

same(
  "does not take on the FiberRefs of the fiber that builds it",
  (make) =>
    Effect.map(
      Effect.withLogSpan(make(Layer.succeed(text, "given")).runtimeEffect, "of the builder"),
      ({ fiberRefs }) => List.size(FiberRefs.getOrDefault(fiberRefs, FiberRef.currentLogSpan))
    ),
  0
)

same(
  "is built in the turn of the first run, where its layer waits for nothing",
  (make) =>
    Effect.sync(() => Context.get(Effect.runSync(make(Layer.succeed(text, "given")).runtimeEffect).context, text)),
  "given"
)

same(
  "can run synchronously what comes after a fork that has built it",
  (make) =>
    Effect.sync(() => {
      const { runFork, runSync } = make(Layer.empty)
      runFork(Effect.void)
      return runSync(Effect.succeed("ran"))
    }),
  "ran"
)

differs(
  "the runtime is a typed failure after the end: there it gives the services that have been released",
  (make) =>
    Effect.gen(function*() {
      const runtime = make(Layer.succeed(text, "given"))
      yield* runtime.run(text)
      yield* runtime.dispose
      const asked = yield* Effect.either(runtime.runtimeEffect)
      return Either.match(asked, {
        onLeft: (error) => (error as { readonly _tag: string })._tag,
        onRight: ({ context }) => Context.get(context, text)
      })
    }),
  { effects: "given", ours: "RuntimeDisposed" }
)

differs(
  "a ResourceRuntime is no Effect, and has its runtime in `runtimeEffect`: Effect's is one, which gives its runtime",
  (make) => Effect.sync(() => Effect.isEffect(make(Layer.empty).self)),
  { effects: true, ours: false }
)
