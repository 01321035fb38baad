import { type CleanupError, ResourceGuard, type ResourceRegistry } from "@patinox/core"
import { Context, Data, Effect, type Layer, Schedule, type Scope } from "effect"
import { expect, test } from "tstyche"

class OpenError extends Data.TaggedError("OpenError")<{}> {}
class CloseError extends Data.TaggedError("CloseError")<{ readonly code: number }> {}
interface Env1 {
  readonly Env1: 1
}
interface Env2 {
  readonly Env2: 1
}
interface Env3 {
  readonly Env3: 1
}
interface Db {
  readonly _: "db"
}
class DbTag extends Context.Tag("Db")<DbTag, Db>() {}
declare const open: Effect.Effect<Db, OpenError, Env1>
declare const close: (db: Db) => Effect.Effect<void, CloseError, Env2>
declare const destroy: (db: Db) => Effect.Effect<void, never, Env3>
type Env = Scope.Scope | ResourceRegistry.ResourceRegistry
type Shutdown = CleanupError.RegistryShuttingDown

const options = {
  recovery: {
    retry: Schedule.recurs(2),
    fallback: (db: Db, _error: CleanupError.ReleaseError<CloseError>) => destroy(db)
  }
}

test("make infers the resource, the release's error and every requirement", () => {
  expect(ResourceGuard.make(open, (db) => close(db), {
    recovery: {
      fallback: (db, error) => {
        expect(db).type.toBe<Db>()
        expect(error).type.toBe<CleanupError.ReleaseError<CloseError>>()
        return destroy(db)
      }
    }
  })).type.toBe<
    Effect.Effect<ResourceGuard.ResourceGuard<Db, CloseError>, OpenError | Shutdown, Env1 | Env2 | Env3 | Env>
  >()
})

test("acquireRelease infers in both forms", () => {
  expect(ResourceGuard.acquireRelease(open, close, options)).type.toBe<
    Effect.Effect<Db, OpenError | Shutdown, Env1 | Env2 | Env3 | Env>
  >()
  expect(open.pipe(ResourceGuard.acquireRelease((db: Db) => close(db)))).type.toBe<
    Effect.Effect<Db, OpenError | Shutdown, Env1 | Env2 | Env>
  >()
})

test("use has the errors of acquire, use and cleanup", () => {
  expect(ResourceGuard.use(open, close, options)((db) => Effect.succeed(db._))).type.toBe<
    Effect.Effect<
      "db",
      OpenError | CleanupError.CleanupError<CloseError>,
      Env1 | Env2 | Env3 | ResourceRegistry.ResourceRegistry
    >
  >()
})

test("layer needs the registry, and no scope", () => {
  expect(ResourceGuard.layer(DbTag, open, close, options)).type.toBe<
    Layer.Layer<DbTag, OpenError | Shutdown, Env1 | Env2 | Env3 | ResourceRegistry.ResourceRegistry>
  >()
})

test("dependsOn adds UnknownDependency", () => {
  expect(ResourceGuard.make(open, (db) => close(db), { dependsOn: [DbTag] })).type.toBe<
    Effect.Effect<
      ResourceGuard.ResourceGuard<Db, CloseError>,
      OpenError | Shutdown | CleanupError.UnknownDependency,
      Env1 | Env2 | Env
    >
  >()
})
