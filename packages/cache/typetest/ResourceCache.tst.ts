import { CacheError, type CacheEvent, CachePolicy, ResourceCache } from "@patinox/cache"
import type { CleanupError, PatinoxError, ResourceGuard, ResourceRegistry } from "@patinox/core"
import {
  Context,
  type Deferred,
  type Duration,
  Effect,
  type Exit,
  type Layer,
  type Option,
  pipe,
  type Schedule,
  type Scope,
  type Stream
} from "effect"
import { expect, test } from "tstyche"

interface File {
  readonly path: string
}
interface Host {
  readonly Host: 1
}
interface D {
  readonly D: 1
}
interface F {
  readonly F: 1
}
interface L {
  readonly L: 1
}
interface S {
  readonly S: 1
}
type Registry = ResourceRegistry.ResourceRegistry
type Cache = ResourceCache.ResourceCache<string, File, "missing">

declare const lookup: (path: string) => Effect.Effect<File, "missing", Host>
declare const scopedLookup: (path: string) => Effect.Effect<File, "missing", Host | Scope.Scope>
declare const release: (file: File) => Effect.Effect<void, "stuck", D>
declare const anyRelease: (value: { readonly path: string }, key: unknown) => Effect.Effect<void>
declare const gate: Deferred.Deferred<void>
declare const cache: Cache
declare const schedule: Schedule.Schedule<number, unknown, S>

class Files extends Context.Tag("Files")<Files, Cache>() {}
class Names extends Context.Tag("Names")<Names, ResourceCache.PlainCache<string, File, "missing">>() {}

type Made<R = Host> = Effect.Effect<Cache, PatinoxError.Validation, R | Scope.Scope | Registry>

test("make gives a cache of what the lookup gives, by what it takes, which fails with what it fails with", () => {
  expect(ResourceCache.make(lookup)).type.toBe<Made>()
  expect(ResourceCache.make(scopedLookup)).type.toBe<Made>()
  expect(ResourceCache.make(lookup, { maxEntries: 3, timeToLive: "1 minutes", staleOnError: "off" })).type.toBe<Made>()
  expect(ResourceCache.make((id: number) => Effect.succeed({ id }))).type.toBe<
    Effect.Effect<
      ResourceCache.ResourceCache<number, { id: number }>,
      PatinoxError.Validation,
      Scope.Scope | Registry
    >
  >()
})

test("the other functions' parameters are inferred from the lookup, and what they need is needed", () => {
  const made = ResourceCache.make(lookup, {
    name: "files",
    release: (file, key) => {
      expect(file).type.toBe<File>()
      expect(key).type.toBe<string>()
      return Effect.context<D>()
    },
    weigher: (file, key) => {
      expect(file).type.toBe<File>()
      expect(key).type.toBe<string>()
      return 1
    },
    timeToLive: (key, exit) => {
      expect(key).type.toBe<string>()
      expect(exit).type.toBe<Exit.Exit<File, "missing">>()
      return "1 minutes"
    },
    onRemoval: (removal) => {
      expect(removal).type.toBe<ResourceCache.Removal<string, File>>()
      expect(removal.reason).type.toBe<ResourceCache.RemovalReason>()
      return Effect.context<L>()
    },
    recovery: {
      fallback: (file, error) => {
        expect(file).type.toBe<File>()
        expect(error).type.toBe<CleanupError.ReleaseError<ResourceGuard.FinalizersFailed>>()
        return Effect.context<F>()
      }
    }
  })
  expect(made).type.toBe<Made<Host | D | L | F>>()
})

test("what the functions fail with does not reach the caller", () => {
  expect(ResourceCache.make(lookup, { release })).type.toBe<Made<Host | D>>()
  expect(ResourceCache.make(lookup, { release, onRemoval: () => Effect.fail("deaf" as const) })).type.toBe<
    Made<Host | D>
  >()
})

test("the recovery's schedule needs what it needs", () => {
  expect(ResourceCache.make(lookup, { recovery: { strategy: () => "Retry", retry: schedule } })).type.toBe<
    Made<Host | S>
  >()
})

test("the lookup is inferred where it is an expression, whether the functions are or not", () => {
  expect(ResourceCache.make((path: string) => Effect.flatMap(Effect.succeed(gate), () => lookup(path)), {
    release: anyRelease
  })).type.toBe<Made>()
  expect(ResourceCache.make((path: string) => Effect.andThen(Effect.succeed(path), lookup), {
    release: (file) => Effect.succeed(file.path),
    weigher: (file) => file.path.length
  })).type.toBe<Made>()
})

test("functions for other keys or values, and other options, are refused", () => {
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, {
    release: (file: { port: number }) => Effect.succeed(file)
  })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { release: () => true })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { weigher: () => "much" })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { timeToLive: (key: number) => key })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { whenFull: "drop" })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { maxEntries: "many" })
  expect(ResourceCache.make).type.not.toBeCallableWith(lookup, { policy: "lru" })
  expect(ResourceCache.make).type.not.toBeCallableWith({ lookup, release })
})

test("layer gives the service of a Tag, and keeps the scope to itself", () => {
  expect(ResourceCache.layer(Files, lookup)).type.toBe<
    Layer.Layer<Files, PatinoxError.Validation, Host | Registry>
  >()
  expect(ResourceCache.layer(Files, scopedLookup, { release, maxEntries: 1 })).type.toBe<
    Layer.Layer<Files, PatinoxError.Validation, Host | D | Registry>
  >()
  expect(ResourceCache.layer).type.not.toBeCallableWith(Files, () => Effect.succeed("another value"))
  expect(ResourceCache.layer).type.not.toBeCallableWith(Files, (key: number) => lookup(`${key}`))
})

test("the recovery knows what the release fails with, by whatever names they are given", () => {
  type Failed = CleanupError.ReleaseError<"stuck" | ResourceGuard.FinalizersFailed>
  expect(ResourceCache.make(lookup, {
    release,
    recovery: {
      strategy: (error) => {
        expect(error).type.toBe<Failed>()
        return "Fallback"
      },
      fallback: (file, error) => {
        expect(file).type.toBe<File>()
        expect(error).type.toBe<Failed>()
        return Effect.context<F>()
      }
    }
  })).type.toBe<Made<Host | D | F>>()
  expect(ResourceCache.make(lookup, {
    release: (file) => Effect.fail(["stuck", file.path] as const),
    recovery: {
      strategy: (error) => {
        expect(error).type.toBe<
          CleanupError.ReleaseError<readonly ["stuck", string] | ResourceGuard.FinalizersFailed>
        >()
        return "Fail"
      }
    }
  })).type.toBe<Made>()
  // Where it does not know it yet, it takes any.
  expect(ResourceCache.make(lookup, {
    recovery: {
      strategy: (error) => {
        expect(error).type.toBe<CleanupError.ReleaseError<unknown>>()
        return "Fail"
      }
    },
    release: (file) => Effect.fail(["stuck", file.path] as const)
  })).type.toBe<Made>()
  expect(ResourceCache.make(lookup, { recovery: { strategy: () => "Retry" } })).type.toBe<Made>()
  expect(ResourceCache.layer(Files, lookup, {
    release,
    recovery: {
      strategy: (error) => {
        expect(error).type.toBe<Failed>()
        return "Retry"
      }
    }
  })).type.toBe<Layer.Layer<Files, PatinoxError.Validation, Host | D | Registry>>()
})

test("plain needs no registry, and has no release", () => {
  type Plain = ResourceCache.PlainCache<string, File, "missing">
  expect(ResourceCache.plain(lookup)).type.toBe<
    Effect.Effect<Plain, PatinoxError.Validation, Host | Scope.Scope>
  >()
  expect(ResourceCache.plain(scopedLookup, { onRemoval: () => Effect.context<L>() })).type.toBe<
    Effect.Effect<Plain, PatinoxError.Validation, Host | L | Scope.Scope>
  >()
  expect(ResourceCache.layerPlain(Names, scopedLookup)).type.toBe<
    Layer.Layer<Names, PatinoxError.Validation, Host>
  >()
  expect<Plain["get"]>().type.toBe<
    (key: string, options?: ResourceCache.CallOptions) => Effect.Effect<File, "missing" | CacheError.CacheError>
  >()
  expect<Plain["getIfPresent"]>().type.toBe<(key: string) => Effect.Effect<Option.Option<File>>>()
  const names = ResourceCache.plain(lookup)
  expect(Effect.flatMap(names, (plain) => plain.use("a", ({ path }) => Effect.as(Effect.context<L>(), path)))).type
    .toBe<
      Effect.Effect<string, "missing" | CacheError.CacheError | PatinoxError.Validation, Host | L | Scope.Scope>
    >()
  expect(ResourceCache.plain).type.not.toBeCallableWith(lookup, { release })
  expect(ResourceCache.plain).type.not.toBeCallableWith(lookup, { whenFull: "fail" })
})

test("asking fails with what the lookup, the cache or the use fails with", () => {
  expect(cache.get("a")).type.toBe<Effect.Effect<File, "missing" | CacheError.CacheError, Scope.Scope>>()
  expect(cache.getIfPresent("a")).type.toBe<Effect.Effect<Option.Option<File>, never, Scope.Scope>>()
  const use = (file: File) => Effect.flatMap(Effect.context<L>(), () => Effect.fail(["own", file.path] as const))
  expect(cache.use("a", use)).type.toBe<
    Effect.Effect<never, readonly ["own", string] | "missing" | CacheError.CacheError, L>
  >()
  expect(cache.use("a", ({ path }) => Effect.succeed(path))).type.toBe<
    Effect.Effect<string, "missing" | CacheError.CacheError>
  >()
  expect(cache.refresh("a")).type.toBe<Effect.Effect<void, "missing" | CacheError.CacheError>>()
  expect(cache.set).type.toBe<(key: string, value: File) => Effect.Effect<void, CacheError.CacheError>>()
  expect(cache.get).type.not.toBeCallableWith(1)
  expect(cache.set).type.not.toBeCallableWith("a", "no file")
})

test("each error can be caught by its tag", () => {
  const caught = pipe(
    cache.use("a", () => Effect.fail({ _tag: "Own" } as const)),
    Effect.catchIf((error) => error === "missing", () => Effect.fail({ _tag: "Own" } as const)),
    Effect.catchTag("CacheTimeout", (error) => {
      expect(error.stage).type.toBe<CacheError.CacheStage>()
      expect(error.counts).type.toBe<CacheError.CacheCounts>()
      return Effect.void
    })
  )
  expect(caught).type.toBe<
    Effect.Effect<
      void,
      | { readonly _tag: "Own" }
      | CacheError.CacheFull
      | CacheError.CacheClosed
      | CacheError.CacheCycle
      | CacheError.CacheValueReleased
    >
  >()
  expect(CacheError.recoveryStrategy).type.toBe<
    (error: CacheError.CacheError) => CacheError.RecoveryStrategy
  >()
})

test("the rest is typed as it says", () => {
  expect(cache.events).type.toBe<Stream.Stream<CacheEvent.CacheEvent>>()
  expect(cache.close).type.toBe<Effect.Effect<ResourceCache.CacheReport>>()
  expect(cache.stats).type.toBe<Effect.Effect<ResourceCache.CacheStats>>()
  expect(cache.snapshot).type.toBe<Effect.Effect<ResourceCache.CacheSnapshot<string>>>()
  expect(cache.keys).type.toBe<Effect.Effect<ReadonlyArray<string>>>()
  expect(cache.invalidate("a")).type.toBe<Effect.Effect<boolean>>()
  expect(cache.invalidateAll).type.toBe<Effect.Effect<number>>()
  expect(cache.invalidateWhere((key, file) => {
    expect(key).type.toBe<string>()
    expect(file).type.toBe<File>()
    return true
  })).type.toBe<Effect.Effect<number>>()
  expect<CacheEvent.Released["error"]>().type.toBe<CleanupError.CleanupError<unknown> | undefined>()
  expect<ResourceCache.CacheOptions<string, File>["timeToIdle"]>().type.toBe<
    | Duration.DurationInput
    | ((key: string, exit: Exit.Exit<File>) => Duration.DurationInput)
    | undefined
  >()
})

test("a cache with fewer errors can be used as one with more, but not one of other values", () => {
  expect<ResourceCache.ResourceCache<string, File, never>>().type.toBeAssignableTo<Cache>()
  expect<ResourceCache.ResourceCache<string, { readonly port: number }, "missing">>().type.not.toBeAssignableTo<Cache>()
  expect<ResourceCache.ResourceCache<number, File, "missing">>().type.not.toBeAssignableTo<Cache>()
})

test("a policy is a record of functions over plain data", () => {
  expect(CachePolicy.lru).type.toBe<CachePolicy.CachePolicy>()
  expect(CachePolicy.makeWTinyLfu({ random: Math.random })).type.toBe<CachePolicy.CachePolicy>()
  expect(ResourceCache.make(lookup, { policy: CachePolicy.wTinyLfu })).type.toBe<Made>()
})
