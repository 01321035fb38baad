import { describe, expect, it } from "@effect/vitest"
import type { ResourceRegistry } from "@patinox/core"
import { Deferred, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { ResourceCache } from "../src/index.js"
import { quietly, turns } from "./kit.js"
import { virtualClock } from "./virtualClock.js"

const macrotask = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

/** Timers that are set while `effect` runs and not over at its end. */
const timersOf = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const { clearTimeout, setTimeout } = globalThis
      const open = new Set<unknown>()
      globalThis.setTimeout = ((run: () => void, ...rest: Array<any>) => {
        const handle = setTimeout(() => {
          open.delete(handle)
          run()
        }, ...rest)
        open.add(handle)
        return handle
      }) as typeof setTimeout
      globalThis.clearTimeout = ((handle: any) => {
        open.delete(handle)
        clearTimeout(handle)
      }) as typeof clearTimeout
      return { open, restore: () => Object.assign(globalThis, { clearTimeout, setTimeout }) }
    }),
    ({ open }) => Effect.map(Effect.zipLeft(effect, macrotask), () => open.size),
    ({ restore }) => Effect.sync(restore)
  )

const within = <A, E>(effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>) =>
  Effect.provide(Effect.scoped(effect), quietly)

const keys = Array.from({ length: 100 }, (_, i) => i)

describe("a cache", () => {
  it.live("holds no timer before it is used, nor with values that do not expire", () =>
    within(Effect.gen(function*() {
      expect(
        yield* timersOf(Effect.gen(function*() {
          const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
            maxEntries: 50,
            release: () => Effect.void,
            refreshAfter: "1 minutes"
          })
          yield* Effect.forEach(keys, (key) => cache.use(key, () => Effect.yieldNow()), { concurrency: "unbounded" })
          yield* turns
        }))
      ).toBe(0)
    })))

  it.live("holds one timer for all its values and all who wait", () =>
    within(Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const scope = yield* Scope.make()
      const fibers: Array<Fiber.RuntimeFiber<void, unknown>> = []
      expect(
        yield* timersOf(Effect.gen(function*() {
          const cache = yield* Scope.extend(
            ResourceCache.make((key: number) => key < 10 ? Effect.succeed(key) : Deferred.await(gate), {
              maxEntries: 20,
              timeToLive: "1 minutes",
              timeToIdle: "30 seconds"
            }),
            scope
          )
          yield* Effect.forEach(keys.slice(0, 10), (key) => cache.use(key, () => Effect.void))
          for (const key of keys) fibers.push(yield* Effect.fork(cache.use(key, () => Deferred.await(gate))))
          yield* turns
          expect(yield* cache.stats).toMatchObject({ loading: 10, waiting: 80, inUse: 10 })
        }))
      ).toBe(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(Fiber.all(fibers))
      yield* Scope.close(scope, Exit.void)
    })))

  it.live("holds none after its end, whatever it has done", () =>
    within(Effect.gen(function*() {
      expect(
        yield* timersOf(Effect.gen(function*() {
          const cache = yield* ResourceCache.make(
            (key: number) => key === 99 ? Effect.never : key === 98 ? Effect.fail("none") : Effect.succeed(key),
            {
              timeToLive: () => "1 minutes",
              timeToIdle: "1 minutes",
              onRemoval: () => Effect.void,
              staleOnError: "1 minutes"
            }
          )
          const waiter = yield* Effect.fork(Effect.flip(cache.use(99, () => Effect.void)))
          yield* Effect.forEach(keys.slice(0, 99), (key) => Effect.ignore(cache.use(key, () => Effect.void)))
          yield* cache.refresh(1)
          yield* cache.close
          yield* Fiber.join(waiter)
          yield* turns
        }))
      ).toBe(0)
    })))

  it.live("holds none for who gave up, nor for a lookup behind that is over", () => {
    const { clock, pass, sleepers } = virtualClock()
    return within(Effect.gen(function*() {
      const cache = yield* ResourceCache.make(
        (key: number) => key === 99 ? Effect.never : Effect.succeed(key),
        { refreshAfter: 1_000 }
      )
      const caller = yield* Effect.fork(cache.use(99, () => Effect.void))
      yield* pass(0, turns)
      expect(sleepers()).toBe(1)
      yield* Fiber.interrupt(caller)
      yield* pass(0, turns)
      expect(sleepers()).toBe(0)
      yield* cache.use(1, () => Effect.void)
      yield* pass(1_000, turns)
      yield* cache.use(1, () => Effect.void)
      yield* pass(0, turns)
      expect(yield* cache.stats).toMatchObject({ loads: 2, loading: 0 })
      expect(sleepers()).toBe(0)
    })).pipe(Effect.provide(Layer.setClock(clock)))
  })

  it.live("leaves no fiber behind", () =>
    Effect.gen(function*() {
      const before = new Set(yield* Fiber.roots)
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(quietly, scope)
      const others = Effect.map(Fiber.roots, (roots) => [...roots].filter((fiber) => !before.has(fiber)).length)
      const program = Effect.gen(function*() {
        const cache = yield* ResourceCache.make((key: number) => Effect.succeed(key), {
          maxEntries: 10,
          release: () => Effect.yieldNow(),
          onRemoval: () => Effect.void
        })
        yield* Effect.forEach(keys, (key) => cache.use(key, () => Effect.yieldNow()), { concurrency: "unbounded" })
        yield* turns
        expect(yield* others).toBe(0)
        yield* cache.close
      })
      yield* Effect.provide(Scope.extend(program, scope), context)
      yield* Scope.close(scope, Exit.void)
      yield* turns
      expect(yield* others).toBe(0)
    }))

  it("keeps no process alive: one with an open cache of values that do not expire ends by itself", () => {
    const [core, cache] = ["../../core/src/index.ts", "../src/index.ts"].map((file) =>
      fileURLToPath(new URL(file, import.meta.url))
    )
    const program = `
      import { ResourceRegistry } from ${JSON.stringify(core)}
      import { ResourceCache } from ${JSON.stringify(cache)}
      import { Effect, Layer, Scope } from "effect"
      const program = Effect.gen(function*() {
        const scope = yield* Scope.make()
        const context = yield* Layer.buildWithScope(ResourceRegistry.layer, scope)
        const make = ResourceCache.make((key) => Effect.succeed(key), { release: () => Effect.void, maxEntries: 2 })
        const open = yield* Effect.provide(Scope.extend(make, scope), context)
        const ended = yield* Effect.provide(
          Scope.extend(ResourceCache.make((key) => Effect.succeed(key), { timeToLive: "1 hours" }), scope),
          context
        )
        for (const key of [1, 2, 3]) {
          yield* open.use(key, () => Effect.void)
          yield* ended.use(key, () => Effect.void)
        }
        const { released } = yield* ended.close
        console.log("released", released)
      })
      Effect.runFork(program)
    `
    return new Promise<void>((resolve, reject) => {
      const child = spawn(
        process.execPath,
        ["--conditions=source", "--import", "tsx", "--input-type=module", "-e", program],
        {
          cwd: fileURLToPath(new URL("../../..", import.meta.url)),
          stdio: ["ignore", "pipe", "inherit"],
          timeout: 25_000
        }
      )
      let output = ""
      child.stdout.on("data", (chunk) => output += chunk)
      child.on("error", reject)
      child.on("close", (code, signal) => {
        try {
          expect({ code, output, signal }).toEqual({ code: 0, output: "released 3\n", signal: null })
          resolve()
        } catch (error) {
          reject(error)
        }
      })
    })
  })
})
