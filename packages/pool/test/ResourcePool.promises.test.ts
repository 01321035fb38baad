import { describe, expect, it } from "@effect/vitest"
import { TestClock } from "@patinox/vitest"
import { Cause, Effect, Exit, Fiber, Layer, ManagedRuntime } from "effect"
import { PoolError, ResourcePool } from "../src/index.js"
import { atRest, inScope, Server, turns } from "./kit.js"

const promisesOf = (server: Server, options: ResourcePool.PoolOptions<any> = {}) =>
  Effect.gen(function*() {
    const pool = yield* ResourcePool.make(server.create, {
      destroy: server.destroy,
      name: "db",
      maxSize: 1,
      ...options
    })
    const promises = ResourcePool.toPromisePool(pool, yield* Effect.runtime())
    return { pool, promises }
  })

const settled = <A>(promise: Promise<A>) =>
  Effect.promise(() =>
    promise.then(
      (value) => ({ value }),
      (error: any) => ({ error })
    )
  )

const macrotask = () => new Promise((resolve) => setImmediate(resolve))
const macrotasks = Effect.promise(async () => {
  for (let i = 0; i < 5; i++) await macrotask()
})

describe("a pool with promises", () => {
  it.effect("gives nothing to who has given up before, though an item is idle", () =>
    inScope(Effect.gen(function*() {
      const { pool, promises } = yield* promisesOf(new Server(), { minSize: 1 })
      yield* pool.awaitReady
      const signal = AbortSignal.abort("no longer wanted")
      expect(yield* settled(promises.acquire({ signal }))).toEqual({ error: "no longer wanted" })
      expect(yield* settled(promises.use(() => "used", { signal }))).toEqual({ error: "no longer wanted" })
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("runs on a managed runtime as well", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(new Server().create)
      const runtime = ManagedRuntime.make(Layer.empty)
      const promises = ResourcePool.toPromisePool(pool, runtime)
      expect(yield* Effect.promise(() => promises.use(({ number }) => number))).toBe(1)
      yield* runtime.disposeEffect
    })))

  it.effect("lends, takes back and destroys", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const { pool, promises } = yield* promisesOf(server)
      yield* Effect.promise(async () => {
        const first = await promises.acquire()
        expect(first.number).toBe(1)
        await promises.release(first)
        const again = await promises.acquire()
        expect(again).toBe(first)
        await promises.destroy(again)
        const second = await promises.acquire()
        expect(second.number).toBe(2)
        await promises.release(second)
      })
      expect(yield* atRest(pool)).toBe(1)
      expect(server.closed).toBe(1)
    })))

  it.effect("rejects the return of what it has not lent, or has back already", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const { pool, promises } = yield* promisesOf(server)
      const item = yield* Effect.promise(() => promises.acquire())
      yield* Effect.promise(() => promises.release(item))
      const { error } = (yield* settled(promises.release(item))) as any
      expect(error.message).toBe("Pool db has not lent this item, or has it back")
      expect(((yield* settled(promises.destroy(item))) as any).error).toBeInstanceOf(Error)
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("takes back as many equal items as it has lent", () =>
    inScope(Effect.gen(function*() {
      const pool = yield* ResourcePool.make(Effect.succeed(7))
      const promises = ResourcePool.toPromisePool(yield* Effect.runtime())(pool)
      yield* Effect.promise(async () => {
        const items = [await promises.acquire(), await promises.acquire(), await promises.acquire()]
        expect(items).toEqual([7, 7, 7])
      })
      expect(yield* pool.snapshot).toMatchObject({ inUse: 3 })
      for (const inUse of [2, 1, 0]) {
        yield* Effect.promise(() => promises.release(7))
        expect(yield* pool.snapshot).toMatchObject({ inUse })
      }
      expect(yield* settled(promises.release(7))).toHaveProperty("error")
    })))

  it.effect("gives the callback an item, its result and its rejection to the caller, and the item back", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const { pool, promises } = yield* promisesOf(server, {
        invalidateWhen: (cause) => Cause.squash(cause) === "fatal"
      })
      expect(yield* settled(promises.use(async ({ number }) => number))).toEqual({ value: 1 })
      expect(yield* settled(promises.use(() => "plain"))).toEqual({ value: "plain" })
      expect(yield* settled(promises.use(() => Promise.reject("harmless")))).toEqual({ error: "harmless" })
      const thrown = promises.use(() => {
        throw new Error("thrown")
      })
      expect(yield* settled(thrown)).toEqual({ error: new Error("thrown") })
      expect(server.closed).toBe(0)
      // The pool sees what it failed with.
      yield* settled(promises.use(() => Promise.reject("fatal")))
      yield* turns
      expect(server.closed).toBe(1)
      expect(yield* atRest(pool)).toBe(0)
    })))

  it.effect("rejects with the errors themselves", () =>
    inScope(Effect.gen(function*() {
      const { promises } = yield* promisesOf(new Server(), { acquireTimeout: "1 seconds" })
      const item = yield* Effect.promise(() => promises.acquire())
      const waiting = yield* Effect.fork(settled(promises.acquire()))
      yield* macrotasks
      yield* TestClock.adjust("1 seconds")
      expect(((yield* Fiber.join(waiting)) as any).error).toBeInstanceOf(PoolError.PoolTimeout)
      yield* Effect.promise(() => promises.release(item))
      const report = yield* Effect.promise(() => promises.drain())
      expect(report.destroyed).toBe(1)
      expect(((yield* settled(promises.use(() => 1))) as any).error).toBeInstanceOf(PoolError.PoolClosed)
    })))

  it.effect("an aborted signal ends the waiting with its reason, and nothing else", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const { pool, promises } = yield* promisesOf(server)
      const aborting = new AbortController()
      const item = yield* Effect.promise(() => promises.acquire({ signal: aborting.signal }))
      const acquiring = settled(promises.acquire({ signal: aborting.signal }))
      const using = settled(promises.use(() => "used", { signal: aborting.signal }))
      const waiting = yield* Effect.fork(Effect.all([acquiring, using], { concurrency: "unbounded" }))
      yield* macrotasks
      expect(yield* pool.snapshot).toMatchObject({ waiting: 2 })
      const reason = new Error("too late")
      aborting.abort(reason)
      expect(yield* Fiber.join(waiting)).toEqual([{ error: reason }, { error: reason }])
      expect(yield* settled(promises.acquire({ signal: aborting.signal }))).toEqual({ error: reason })
      yield* Effect.promise(() => promises.release(item))
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("a pool with promises has options for a single borrow: a deadline, a priority, and a rejection of what is none", () =>
    inScope(Effect.gen(function*() {
      const { promises } = yield* promisesOf(new Server())
      const item = yield* Effect.promise(() => promises.acquire())
      const served: Array<string> = []
      const use = (who: string, options: ResourcePool.PromiseBorrowOptions) =>
        settled(promises.use(() => served.push(who), options))
      const waiting = yield* Effect.fork(Effect.all([
        use("hasty", { acquireTimeout: "1 seconds" }),
        use("low", { priority: "Low" }),
        use("high", { priority: "High" })
      ], { concurrency: "unbounded" }))
      yield* macrotasks
      yield* TestClock.adjust("1 seconds")
      yield* Effect.promise(() => promises.release(item))
      const [hasty] = yield* Fiber.join(waiting)
      expect((hasty as any).error).toMatchObject({ _tag: "PoolTimeout", limitMillis: 1_000 })
      expect(served).toEqual(["high", "low"])
      const wrong = yield* settled(promises.acquire({ acquireTimeout: -1 }))
      expect((wrong as any).error).toMatchObject({ _tag: "Validation" })
    })))

  it.effect("an aborted signal does not return an item that the callback still uses", () =>
    inScope(Effect.gen(function*() {
      const server = new Server()
      const { pool, promises } = yield* promisesOf(server)
      const aborting = new AbortController()
      let finish: (value: string) => void = () => {}
      const used = promises.use(() => new Promise<string>((resolve) => finish = resolve), { signal: aborting.signal })
      yield* macrotasks
      aborting.abort(new Error("aborted"))
      yield* macrotasks
      expect(yield* pool.snapshot).toMatchObject({ inUse: 1, idle: 0 })
      finish("finished")
      expect(yield* settled(used)).toEqual({ value: "finished" })
      expect(yield* atRest(pool)).toBe(1)
    })))

  it.effect("waits for the recycling of what it takes back", () =>
    inScope(Effect.gen(function*() {
      const exits: Array<Exit.Exit<unknown, unknown>> = []
      const { promises } = yield* promisesOf(new Server(), {
        recycle: (_, exit) => Effect.andThen(Effect.yieldNow(), Effect.sync(() => exits.push(exit)))
      })
      yield* settled(promises.use(() => Promise.reject("own")))
      expect(exits).toEqual([Exit.fail("own")])
      const item = yield* Effect.promise(() => promises.acquire())
      yield* Effect.promise(() => promises.release(item))
      expect(exits).toEqual([Exit.fail("own"), Exit.void])
    })))
})
