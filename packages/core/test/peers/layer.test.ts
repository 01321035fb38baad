/** What the tests of Effect's `Layer` promise to its users, asked of its builds and of those of a ResourceScope. */
import { Context, Deferred, Effect, Exit, Fiber, FiberRef, Layer, Schedule, Scope, Stream } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceScope } from "../../src/index.js"
import { closeVoid, type Log, makeLog, turns } from "./log.js"

interface Part {
  readonly make: Effect.Effect<Scope.CloseableScope>
  readonly scoped: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Scope.Scope>>
  readonly build: <A, E, R>(layer: Layer.Layer<A, E, R>) => Effect.Effect<Context.Context<A>, E, R | Scope.Scope>
  readonly provide: <A, E, R, A2, E2, R2>(
    effect: Effect.Effect<A, E, R>,
    layer: Layer.Layer<A2, E2, R2>
  ) => Effect.Effect<A, E | E2, R2 | Exclude<R, A2>>
  readonly makeMemoMap: Effect.Effect<Layer.MemoMap>
}

const { same } = beside<Part>({
  effects: {
    make: Scope.make(),
    scoped: Effect.scoped,
    build: Layer.build,
    provide: Effect.provide,
    makeMemoMap: Layer.makeMemoMap
  },
  ours: {
    make: ResourceScope.make(),
    scoped: ResourceScope.scoped,
    build: ResourceScope.build,
    provide: ResourceScope.provide,
    makeMemoMap: ResourceScope.makeMemoMap()
  }
})

class Disk extends Context.Tag("Disk")<Disk, string>() {}
class Database extends Context.Tag("Database")<Database, string>() {}
class Cache extends Context.Tag("Cache")<Cache, string>() {}
class Port extends Context.Tag("Port")<Port, number>() {}
class Address extends Context.Tag("Address")<Address, string>() {}

/** Three layers that log, none of which needs another. */
const threeOf = ({ resource }: Log) => ({
  disk: Layer.scoped(Disk, resource("disk")),
  database: Layer.scoped(Database, resource("database")),
  cache: Layer.scoped(Cache, resource("cache"))
})

/** Builds a layer of the three, closes its scope, and gives what happened. */
const history = (layerOf: (layers: ReturnType<typeof threeOf>) => Layer.Layer<any, any>) => ({ build, scoped }: Part) =>
  Effect.suspend(() => {
    const log = makeLog()
    return Effect.as(Effect.exit(scoped(build(layerOf(threeOf(log))))), log.lines)
  })

// --- building side by side ------------------------------------------------------------------------------------------

same(
  "layers that are merged are built side by side: one that never ends does not hold the other up",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const opened = yield* Deferred.make<void>()
      const stuck = Layer.effectContext<never, never, never>(Effect.never)
      const opening = Layer.scopedDiscard(Effect.acquireRelease(Deferred.succeed(opened, undefined), () => Effect.void))
      const fiber = yield* Effect.forkDaemon(scoped(build(Layer.merge(stuck, opening))))
      yield* Deferred.await(opened)
      return Exit.isInterrupted(yield* Fiber.interrupt(fiber))
    }),
  true
)

same(
  "merged layers are acquired and released, each once",
  history(({ database, disk }) => Layer.merge(disk, database)),
  ["+disk", "+database", "-database", "-disk"]
)

same(
  "three merged layers are released side by side, in the order of Effect's",
  history(({ cache, database, disk }) => Layer.mergeAll(disk, database, cache)),
  ["+disk", "+database", "+cache", "-cache", "-database", "-disk"]
)

// --- sharing --------------------------------------------------------------------------------------------------------

same("a layer that is merged with itself is one", history(({ disk }) => Layer.merge(disk, disk)), ["+disk", "-disk"])

same(
  "a layer that is merged with itself twice gives its one service",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const service = {}
      const Tag = Context.GenericTag<object>("service")
      const layer = Layer.succeed(Tag, service)
      const context = yield* scoped(build(layer.pipe(Layer.merge(layer), Layer.merge(layer))))
      return Context.get(context, Tag) === service
    }),
  true
)

same(
  "a layer that is provided to itself is one",
  history(({ disk }) => Layer.provide(disk, disk)),
  ["+disk", "-disk"]
)

same(
  "what two layers depend on is built once, first, and released once, last",
  history(({ cache, database, disk }) => Layer.merge(Layer.provide(cache, disk), Layer.provide(database, disk))),
  ["+disk", "+cache", "+database", "-database", "-cache", "-disk"]
)

same(
  "the first of two different layers for one tag is what later parts are built on",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const disk = Layer.effect(Disk, Effect.map(Port, (port) => `disk ${port}`))
      const database = Layer.effect(Database, Effect.map(Disk, (it) => `database on ${it}`))
      const cache = Layer.effect(Cache, Effect.map(Disk, (it) => `cache on ${it}`))
      const first = database.pipe(Layer.provideMerge(disk), Layer.provideMerge(Layer.succeed(Port, 1)))
      const second = cache.pipe(Layer.provideMerge(disk), Layer.provide(Layer.succeed(Port, 2)))
      const context = yield* scoped(build(Layer.merge(first, second)))
      return [Context.get(context, Database), Context.get(context, Cache)]
    }),
  ["database on disk 1", "cache on disk 1"]
)

type Change = (layer: Layer.Layer<Disk>) => Layer.Layer<Disk>
const changes: Record<string, Change> = {
  map: (layer) => Layer.map(layer, (context) => context),
  mapError: (layer) => Layer.mapError(layer, (error) => error),
  orDie: Layer.orDie
}

for (const [what, changed] of Object.entries(changes)) {
  same(
    `a layer is still shared where it is used through Layer.${what}`,
    history(({ cache, database, disk }) =>
      cache.pipe(Layer.provide(disk), Layer.provide(database), Layer.provide(changed(disk)))
    ),
    ["+disk", "+database", "+cache", "-cache", "-database", "-disk"]
  )
}

// --- fresh ----------------------------------------------------------------------------------------------------------

same(
  "a fresh layer is one of its own, merged with the shared one",
  history(({ disk }) => Layer.merge(disk, Layer.fresh(disk))),
  ["+disk", "+disk", "-disk", "-disk"]
)

same(
  "a fresh layer that is used twice is built twice",
  history(({ disk }) => {
    const fresh = Layer.fresh(disk)
    return Layer.merge(fresh, fresh)
  }),
  ["+disk", "+disk", "-disk", "-disk"]
)

same(
  "a fresh layer is one of its own, provided with the shared one",
  history(({ disk }) => Layer.provide(Layer.fresh(disk), disk)),
  ["+disk", "+disk", "-disk", "-disk"]
)

same(
  "a fresh composition is apart as a whole, and shares inside of itself",
  history(({ disk }) => disk.pipe(Layer.merge(disk), Layer.merge(Layer.fresh(Layer.merge(disk, disk))))),
  ["+disk", "+disk", "-disk", "-disk"]
)

same(
  "fresh layers inside of merged ones are released after what depends on them, in the order of Effect's",
  history(({ cache, database, disk }) =>
    database.pipe(
      Layer.merge(Layer.fresh(Layer.provide(cache, disk))),
      Layer.provide(Layer.fresh(disk))
    )
  ),
  ["+disk", "+database", "+disk", "+cache", "-cache", "-disk", "-database", "-disk"]
)

// --- dependencies ---------------------------------------------------------------------------------------------------

same(
  "what depends on another is acquired after it and released before it",
  history(({ database, disk }) => Layer.provide(database, disk)),
  ["+disk", "+database", "-database", "-disk"]
)

same(
  "a chain of layers is acquired from its end and released from its head",
  history(({ cache, database, disk }) => cache.pipe(Layer.provide(database), Layer.provide(disk))),
  ["+disk", "+database", "+cache", "-cache", "-database", "-disk"]
)

// --- failures and interruption --------------------------------------------------------------------------------------

same(
  "where a layer fails the other is built, after what the first had acquired is released",
  history(({ database, disk }) => Layer.fail("refused").pipe(Layer.provideMerge(disk), Layer.orElse(() => database))),
  ["+disk", "-disk", "+database", "-database"]
)

same(
  "a layer that fails beside one that takes time fails the whole",
  ({ provide }) =>
    Effect.map(
      Effect.exit(provide(
        Effect.void,
        Layer.merge(
          Layer.fail("refused"),
          Layer.scopedDiscard(Effect.scoped(Effect.acquireRelease(turns, () => turns))).pipe(
            Layer.provide(Layer.merge(Layer.succeed(Disk, "disk"), Layer.succeed(Port, 1)))
          )
        )
      )),
      Exit.isFailure
    ),
  true
)

same(
  "a layer is retried as its schedule says",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      const layer = Layer.effectContext(Effect.andThen(note("tried"), Effect.fail("refused")))
      yield* Effect.ignore(scoped(build(Layer.retry(layer, Schedule.recurs(3)))))
      return lines.length
    }),
  4
)

for (
  const [what, layerOf] of [
    ["merged", ({ database, disk }) => Layer.merge(disk, database)],
    ["one on the other", ({ database, disk }) => Layer.provide(database, disk)],
    [
      "composed in both ways",
      ({ cache, database, disk }) => cache.pipe(Layer.provide(disk), Layer.merge(database), Layer.provide(disk))
    ]
  ] satisfies ReadonlyArray<readonly [string, (layers: ReturnType<typeof threeOf>) => Layer.Layer<any>]>
) {
  same(
    `an interruption at any point of a build releases whatever was acquired, with layers ${what}`,
    ({ build, scoped }) =>
      Effect.gen(function*() {
        const left: Array<string> = []
        for (let after = 0; after < 40; after++) {
          const log = makeLog()
          const slowly: Log = {
            ...log,
            resource: (name, value) => Effect.zipRight(Effect.yieldNow(), log.resource(name, value))
          }
          const fiber = yield* Effect.fork(scoped(Effect.andThen(build(layerOf(threeOf(slowly))), Effect.yieldNow())))
          yield* Effect.repeatN(Effect.yieldNow(), after)
          yield* Fiber.interrupt(fiber)
          for (const name of ["disk", "database", "cache"]) {
            if (log.count(`+${name}`) !== log.count(`-${name}`)) left.push(`${name} after ${after} turns`)
          }
        }
        return left
      }),
    []
  )
}

// --- services -------------------------------------------------------------------------------------------------------

same(
  "the value released is the value that was given out",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const Basket = Context.GenericTag<Array<string>>("basket")
      let released: ReadonlyArray<string> = []
      const layer = Layer.scoped(
        Basket,
        Effect.acquireRelease(
          Effect.sync((): Array<string> => []),
          (basket) =>
            Effect.sync(() => {
              released = basket
            })
        )
      )
      yield* scoped(Effect.map(build(layer), (context) => Context.get(context, Basket).push("apple")))
      return released
    }),
  ["apple"]
)

same(
  "a layer's services can be made into others",
  ({ provide }) =>
    provide(
      Address,
      Layer.provide(
        Layer.function(Disk, Address, (disk) => `at ${disk}`),
        Layer.map(Layer.succeed(Port, 80), (context) => Context.make(Disk, `port ${Context.get(context, Port)}`))
      )
    ),
  "at port 80"
)

same(
  "a part of what an effect needs can be provided, and the rest around it",
  ({ provide }) => provide(provide(Effect.all([Port, Disk]), Layer.succeed(Port, 80)), Layer.succeed(Disk, "disk")),
  [80, "disk"]
)

const address = Layer.effect(Address, Effect.zipWith(Disk, Port, (disk, port) => `${disk}:${port}`))

same(
  "a part of what a layer needs can be provided, and the rest around it",
  ({ provide }) =>
    provide(
      Address,
      address.pipe(Layer.provide(Layer.effect(Port, Effect.succeed(80))), Layer.provide(Layer.succeed(Disk, "disk")))
    ),
  "disk:80"
)

same(
  "with provideMerge what was provided can be had, too",
  ({ provide }) =>
    provide(
      Effect.all([Address, Port, Disk]),
      address.pipe(
        Layer.provideMerge(Layer.effect(Port, Effect.succeed(80))),
        Layer.provideMerge(Layer.succeed(Disk, "disk"))
      )
    ),
  ["disk:80", 80, "disk"]
)

same(
  "a layer can pass on what it was given",
  ({ provide }) =>
    provide(
      Effect.all([Port, Address]),
      Layer.passthrough(Layer.function(Port, Address, String)).pipe(Layer.provide(Layer.succeed(Port, 1)))
    ),
  [1, "1"]
)

same(
  "a part of a service can be a service",
  ({ provide }) => {
    const Person = Context.GenericTag<{ readonly name: string; readonly age: number }>("Person")
    const Age = Context.GenericTag<{ readonly age: number }>("Age")
    const layer = Layer.succeed(Person, { name: "Ada", age: 36 }).pipe(
      Layer.project(Person, Age, ({ age }) => ({ age }))
    )
    return provide(Age, layer)
  },
  { age: 36 }
)

same(
  "a tap sees what was acquired",
  ({ build, scoped }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      yield* scoped(build(Layer.tap(Layer.succeed(Disk, "disk"), (context) => note(Context.get(context, Disk)))))
      return lines
    }),
  ["disk"]
)

same(
  "a service that a layer needs can be changed for it",
  ({ provide }) =>
    provide(
      Database,
      Layer.effect(Database, Disk).pipe(
        Layer.updateService(Disk, (disk) => `database on ${disk}`),
        Layer.provide(Layer.succeed(Disk, "disk"))
      )
    ),
  "database on disk"
)

same(
  "of a mocked service what was given works, and the rest dies",
  ({ provide }) => {
    class Store extends Effect.Service<Store>()("Store", {
      succeed: { read: Effect.succeed("row"), write: () => Effect.succeed(1), rows: Stream.succeed("row") }
    }) {}
    const dies = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
      Effect.as(Effect.flip(Effect.catchAllDefect(effect, Effect.fail)), "died")
    return provide(
      Effect.gen(function*() {
        const store = yield* Store
        return [yield* store.read, yield* dies(store.write()), yield* dies(Stream.runDrain(store.rows))]
      }),
      Layer.mock(Store, { _tag: "Store", read: Effect.succeed("mocked") })
    )
  },
  ["mocked", "died", "died"]
)

// --- FiberRefs ------------------------------------------------------------------------------------------------------

const level = FiberRef.unsafeMake(0)
const levelAddress = Layer.effect(Address, Effect.map(FiberRef.get(level), (it) => `level ${it}`))

same(
  "a layer can be built with another value of a FiberRef",
  ({ provide }) => provide(Address, Layer.locally(levelAddress, level, 100)),
  "level 100"
)

same(
  "a layer can be built with a changed value of a FiberRef",
  ({ provide }) => provide(Address, Layer.locallyWith(levelAddress, level, (it) => it + 1)),
  "level 1"
)

same(
  "what a shared layer sets in a FiberRef holds for every layer built on it",
  ({ build, scoped }) => {
    const setting = Layer.scopedDiscard(Effect.locallyScoped(level, 7))
    const layer = Layer.merge(Layer.provide(levelAddress, setting), setting)
    return scoped(Effect.map(build(layer), (context) => Context.get(context, Address)))
  },
  "level 7"
)

// --- across builds --------------------------------------------------------------------------------------------------

same(
  "a memoised layer is acquired once for all who provide it, and released with its scope",
  ({ provide, scoped }) =>
    Effect.gen(function*() {
      const log = makeLog()
      yield* scoped(Effect.flatMap(Layer.memoize(threeOf(log).disk), (layer) =>
        Effect.andThen(provide(Disk, layer), provide(Disk, layer))))
      return log.lines
    }),
  ["+disk", "-disk"]
)

const twoBuilds = (
  { make, makeMemoMap }: Part,
  then: (
    scopes: readonly [Scope.CloseableScope, Scope.CloseableScope],
    buildSecond: (scope: Scope.Scope) => Effect.Effect<unknown>
  ) => Effect.Effect<unknown>
) =>
  Effect.gen(function*() {
    const log = makeLog()
    const { database, disk } = threeOf(log)
    const memoMap = yield* makeMemoMap
    const scopes = [yield* make, yield* make] as const
    const second = Layer.provide(database, disk)
    yield* Layer.buildWithMemoMap(disk, memoMap, scopes[0])
    yield* Layer.buildWithMemoMap(second, memoMap, scopes[1])
    yield* then(scopes, (scope) => Layer.buildWithMemoMap(second, memoMap, scope))
    return log.lines
  })

same(
  "a memo map shares a layer between builds, and what is released is built anew for the next",
  (part) =>
    twoBuilds(part, ([first, second], build) =>
      Effect.gen(function*() {
        yield* closeVoid(second)
        yield* build(first)
        yield* closeVoid(first)
      })),
  ["+disk", "+database", "-database", "+database", "-database", "-disk"]
)

same(
  "a shared layer stays until the last build that uses it is closed",
  (part) => twoBuilds(part, (scopes) => Effect.forEach(scopes, closeVoid)),
  ["+disk", "+database", "-database", "-disk"]
)
