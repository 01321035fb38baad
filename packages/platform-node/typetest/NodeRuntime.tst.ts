import { NodeRuntime } from "@patinox/platform-node"
import { Context, Data, Effect, type Layer, Logger, type Scope } from "effect"
import { expect, test } from "tstyche"

class OpenError extends Data.TaggedError("OpenError")<{}> {}
class Database extends Context.Tag("Database")<Database, { readonly rows: number }>() {}
class Cache extends Context.Tag("Cache")<Cache, { readonly hits: number }>() {}

declare const database: Layer.Layer<Database, OpenError>
declare const both: Layer.Layer<Database | Cache, OpenError>
declare const needy: Layer.Layer<Database, OpenError, Cache>
declare const scoped: Effect.Effect<number, OpenError, Scope.Scope>
declare const useDatabase: Effect.Effect<number, OpenError, Database>
declare const useCache: Effect.Effect<number, OpenError, Cache>
declare const useScopedDatabase: Effect.Effect<number, OpenError, Database | Scope.Scope>

test("runMain takes what Effect's takes, and an effect that needs a scope", () => {
  expect(NodeRuntime.runMain(Effect.succeed(1))).type.toBe<void>()
  expect(NodeRuntime.runMain(scoped, { shutdownTimeout: "10 seconds" })).type.toBe<void>()
  expect(scoped.pipe(NodeRuntime.runMain())).type.toBe<void>()
  expect(scoped.pipe(NodeRuntime.runMain({ disableErrorReporting: true }))).type.toBe<void>()
  expect(
    NodeRuntime.runMain(scoped, { disablePrettyLogger: true, teardown: (_exit, onExit) => onExit(3) })
  ).type.toBe<void>()
})

test("runMain refuses an effect that needs something else", () => {
  expect(NodeRuntime.runMain).type.not.toBeCallableWith(useDatabase)
})

test("launch gives its main program what the layer builds, and a scope", () => {
  expect(NodeRuntime.launch(database)).type.toBe<void>()
  expect(NodeRuntime.launch(database, { main: useDatabase })).type.toBe<void>()
  expect(NodeRuntime.launch(both, { main: useScopedDatabase })).type.toBe<void>()
  expect(database.pipe(NodeRuntime.launch())).type.toBe<void>()
  expect(both.pipe(NodeRuntime.launch({ main: useScopedDatabase, readinessDelay: 3_000 }))).type.toBe<void>()
})

test("launch refuses a main program that needs more, and a layer that does", () => {
  expect(NodeRuntime.launch).type.not.toBeCallableWith(database, { main: useCache })
  expect(NodeRuntime.launch).type.not.toBeCallableWith(needy)
  expect(NodeRuntime.launch({ main: useCache })).type.not.toBeCallableWith(database)
})

test("the loggers are any layer that needs nothing", () => {
  const loggers: NodeRuntime.Options["loggerLayer"] = Logger.json
  expect(loggers).type.toBeAssignableTo<NodeRuntime.Options["loggerLayer"]>()
  expect<Layer.Layer<Database, OpenError>>().type.toBeAssignableTo<NonNullable<NodeRuntime.Options["loggerLayer"]>>()
  expect<Layer.Layer<Database, OpenError, Cache>>().type.not.toBeAssignableTo<
    NonNullable<NodeRuntime.Options["loggerLayer"]>
  >()
})

test("signals are those that can ask a process to end", () => {
  expect<"SIGKILL">().type.not.toBeAssignableTo<NodeRuntime.Signal>()
  expect<"SIGTERM">().type.toBeAssignableTo<NodeRuntime.Signal>()
})
