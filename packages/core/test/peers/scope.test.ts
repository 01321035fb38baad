/** What the tests of Effect's `Scope` promise to its users, asked of its scopes and of a ResourceScope. */
import { Cause, Deferred, Effect, ExecutionStrategy, Exit, Fiber, FiberRef, Logger, Scope } from "effect"
import { beside } from "../../../../scripts/peers/beside.js"
import { ResourceScope } from "../../src/index.js"
import { closeVoid, makeLog, turns } from "./log.js"

interface Part {
  readonly make: (strategy?: ExecutionStrategy.ExecutionStrategy) => Effect.Effect<Scope.CloseableScope>
  readonly scoped: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, Exclude<R, Scope.Scope>>
}

const { differs, same } = beside<Part>({
  effects: { make: Scope.make, scoped: Effect.scoped },
  ours: {
    make: (strategy) => ResourceScope.make(strategy && { strategy }),
    scoped: ResourceScope.scoped
  }
}, (effect) => Effect.provide(Effect.scoped(effect), Logger.remove(Logger.defaultLogger)) as Effect.Effect<unknown>)

same(
  "a finalizer runs when its scope closes, after what used the resource",
  ({ scoped }) => {
    const { lines, note, resource } = makeLog()
    return Effect.as(scoped(Effect.andThen(resource("a"), note("used a"))), lines)
  },
  ["+a", "used a", "-a"]
)

same(
  "finalizers run last in, first out, with the exit that the scope closes with",
  ({ make }) =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const scope = yield* make()
      for (const name of ["a", "b", "c"]) {
        yield* Scope.addFinalizerExit(scope, (exit) =>
          Effect.sync(() => seen.push(`${name} ${Exit.isFailure(exit) ? Cause.pretty(exit.cause) : exit._tag}`)))
      }
      yield* Scope.close(scope, Exit.fail("refused"))
      return seen
    }),
  ["c Error: refused", "b Error: refused", "a Error: refused"]
)

same(
  "parallel finalizers run side by side: one can wait for the other",
  ({ scoped }) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      yield* scoped(Effect.parallelFinalizers(Effect.andThen(
        Effect.addFinalizer(() => Deferred.succeed(gate, undefined)),
        Effect.addFinalizer(() => Deferred.await(gate))
      )))
      return yield* Deferred.isDone(gate)
    }),
  true
)

same(
  "finalizers of effects zipped with concurrentFinalizers run side by side, too",
  ({ scoped }) =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      yield* scoped(Effect.zipRight(
        Effect.addFinalizer(() => Deferred.succeed(gate, undefined)),
        Effect.addFinalizer(() => Deferred.await(gate)),
        { concurrent: true, concurrentFinalizers: true }
      ))
      return yield* Deferred.isDone(gate)
    }),
  true
)

same(
  "resources zipped side by side are all acquired, then used, then released",
  ({ scoped }) =>
    Effect.gen(function*() {
      const { lines, note, resource } = makeLog()
      yield* scoped(Effect.flatMap(
        Effect.zip(Effect.parallelFinalizers(resource("a")), resource("b"), {
          concurrent: true,
          concurrentFinalizers: true
        }),
        (names) => Effect.forEach(names, (name) => note(`used ${name}`), { concurrency: "unbounded" })
      ))
      return [lines.slice(0, 2), lines.slice(2, 4), lines.slice(4)].map((part) => [...part].sort())
    }),
  [["+a", "+b"], ["used a", "used b"], ["-a", "-b"]]
)

same(
  "sequential finalizers keep their order inside of parallel ones",
  ({ scoped }) =>
    Effect.gen(function*() {
      const { lines, resource } = makeLog()
      const both = (first: string, second: string) =>
        Effect.sequentialFinalizers(Effect.zipRight(resource(first), resource(second)))
      yield* scoped(Effect.parallelFinalizers(Effect.zip(both("a", "b"), both("c", "d"), { concurrent: true })))
      const at = (line: string) => lines.indexOf(line)
      return [at("-b") < at("-a"), at("-d") < at("-c"), lines.length]
    }),
  [true, true, 8]
)

same(
  "a resource can be released early, once, and before what came before it",
  ({ scoped }) =>
    Effect.gen(function*() {
      const { lines, note, resource } = makeLog()
      yield* scoped(Effect.gen(function*() {
        yield* resource("a")
        const [release] = yield* Effect.withEarlyRelease(resource("b"))
        yield* release
        yield* note("end of the body")
      }))
      return lines
    }),
  ["+a", "+b", "-b", "end of the body", "-a"]
)

same(
  "with Effect.using the first resource is released as soon as the second is made",
  ({ scoped }) =>
    Effect.gen(function*() {
      const { lines, note, resource } = makeLog()
      yield* scoped(Effect.andThen(
        Effect.using(resource("a"), () => Effect.zipRight(note("used a"), resource("b"))),
        note("used b")
      ))
      return lines
    }),
  ["+a", "used a", "+b", "-a", "used b", "-b"]
)

same(
  "a scope can be piped",
  ({ make }) => Effect.map(make(), (scope) => scope.pipe((it) => it === scope)),
  true
)

same(
  "a finalizer that is added to a closed scope runs at once, with the exit of that time",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      const scope = yield* make()
      yield* Scope.close(scope, Exit.fail("refused"))
      yield* Scope.addFinalizerExit(scope, (exit) => note(`late: ${Exit.isFailure(exit)}`))
      return lines
    }),
  ["late: true"]
)

same(
  "a child closes in its place among the finalizers of its parent, and only once",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, resource } = makeLog()
      const parent = yield* make()
      yield* Scope.extend(resource("before"), parent)
      const early = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      const child = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      yield* Scope.extend(resource("early"), early)
      yield* Scope.extend(resource("child"), child)
      yield* Scope.extend(resource("after"), parent)
      yield* closeVoid(early)
      yield* closeVoid(parent)
      yield* closeVoid(child)
      return lines.slice(4)
    }),
  ["-early", "-after", "-child", "-before"]
)

same(
  "finalizers find the FiberRefs of where they were added, in a scope inside of other settings",
  ({ scoped }) =>
    Effect.gen(function*() {
      const path = yield* FiberRef.make<ReadonlyArray<string>>([])
      const seen: Array<string> = []
      const here = (what: string) =>
        Effect.map(FiberRef.get(path), (names) => {
          seen.push(`${what} in ${names.join(" ")}`)
        })
      const inside = (name: string) => Effect.locallyWith(path, (names) => [name, ...names])
      yield* Effect.acquireRelease(
        here("acquired").pipe(inside("acquire")),
        () => here("released").pipe(inside("release"))
      ).pipe(inside("inner"), scoped, inside("outer"))
      return seen
    }),
  ["acquired in acquire inner outer", "released in release inner outer"]
)

same(
  "an acquire is not interrupted, and what it gave is released",
  ({ scoped }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      const gate = yield* Deferred.make<void>()
      const acquire = Effect.andThen(note("begun"), Effect.andThen(Deferred.await(gate), note("+a")))
      const fiber = yield* Effect.fork(scoped(Effect.acquireRelease(acquire, () => note("-a"))))
      yield* turns
      const interrupting = yield* Effect.fork(Fiber.interrupt(fiber))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      return lines
    }),
  ["begun", "+a", "-a"]
)

same(
  "fibers that were forked in a scope end with it, before what was acquired earlier",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, note, resource } = makeLog()
      const scope = yield* make()
      yield* Scope.extend(resource("a"), scope)
      yield* Effect.forkIn(Effect.onInterrupt(Effect.never, () => note("interrupted")), scope)
      yield* turns
      yield* closeVoid(scope)
      return lines
    }),
  ["+a", "interrupted", "-a"]
)

differs(
  "what the body ended with stands, though a finalizer dies: there a success becomes that defect",
  ({ scoped }) =>
    Effect.map(
      Effect.exit(scoped(Effect.as(Effect.addFinalizer(() => Effect.die("reset")), "done"))),
      (exit) => Exit.isSuccess(exit) ? exit.value : Cause.pretty(exit.cause).split("\n")[0]
    ),
  { effects: "Error: reset", ours: "done" }
)

differs(
  "a typed error can be caught, though a finalizer dies after it: there it is a defect from then on",
  ({ scoped }) =>
    Effect.map(
      Effect.exit(Effect.catchAll(
        scoped(Effect.andThen(Effect.addFinalizer(() => Effect.die("reset")), Effect.fail("refused"))),
        (error) => Effect.succeed(`caught ${error}`)
      )),
      (exit) => Exit.isSuccess(exit) ? exit.value : "defect"
    ),
  { effects: "defect", ours: "caught refused" }
)

differs(
  "a finalizer that throws before it returns an Effect does not keep others from running: there those after it never run",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, resource } = makeLog()
      const scope = yield* make()
      yield* Scope.extend(resource("a"), scope)
      yield* Scope.addFinalizerExit(scope, () => {
        throw new Error("reset")
      })
      yield* Effect.exit(closeVoid(scope))
      return lines
    }),
  { effects: ["+a"], ours: ["+a", "-a"] }
)

differs(
  "a close that is interrupted goes on to its end: there raw finalizers after the one at work are lost",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      const gate = yield* Deferred.make<void>()
      const scope = yield* make()
      yield* Scope.addFinalizer(scope, note("-a"))
      yield* Scope.addFinalizer(scope, Deferred.await(gate))
      const closing = yield* Effect.fork(closeVoid(scope))
      yield* turns
      const interrupting = yield* Effect.fork(Fiber.interrupt(closing))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      return lines
    }),
  { effects: [], ours: ["-a"] }
)

differs(
  "closing a scope that is already closing waits for that close: there it returns at once",
  ({ make }) =>
    Effect.gen(function*() {
      const { lines, note } = makeLog()
      const gate = yield* Deferred.make<void>()
      const scope = yield* make()
      yield* Scope.addFinalizer(scope, Effect.andThen(Deferred.await(gate), note("-a")))
      const first = yield* Effect.fork(closeVoid(scope))
      yield* turns
      const second = yield* Effect.fork(Effect.andThen(closeVoid(scope), note("the second is over")))
      yield* turns
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      return lines
    }),
  { effects: ["the second is over", "-a"], ours: ["-a", "the second is over"] }
)

same(
  "a raw finalizer sees the FiberRefs of the fiber that closes the scope",
  ({ make }) =>
    Effect.gen(function*() {
      const setting = yield* FiberRef.make("nobody's")
      const seen: Array<string> = []
      const scope = yield* make()
      yield* Effect.locally(
        Scope.addFinalizer(scope, Effect.map(FiberRef.get(setting), (value) => seen.push(value))),
        setting,
        "who added it"
      )
      yield* Effect.locally(closeVoid(scope), setting, "who closes it")
      return seen
    }),
  ["who closes it"]
)

same(
  "a logger that a layer provides to a scoped effect also logs its release",
  ({ scoped }) =>
    Effect.gen(function*() {
      const lines: Array<unknown> = []
      const logger = Logger.make(({ message }) => lines.push(message))
      yield* scoped(Effect.acquireRelease(Effect.log("acquired"), () => Effect.log("released"))).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger))
      )
      return lines.flat()
    }),
  ["acquired", "released"]
)
