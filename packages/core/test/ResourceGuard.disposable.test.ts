/**
 * Resources of `using` and `await using` as guards, and guards as those.
 * Shows `Disposables`.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Logger, Option, Scope, TestClock } from "effect"
import { open } from "node:fs/promises"
import { createServer } from "node:http"
import { CleanupError, ResourceGuard, ResourceRegistry, ResourceRuntime, ResourceScope } from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry
const provide = Effect.provide(Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger)))

/** What each kind of disposable does at its end, and what it is to end with. */
const kinds = (log: Array<string>): Record<string, Disposable | AsyncDisposable> => ({
  "a Disposable": {
    [Symbol.dispose]: () => {
      log.push("dispose")
    }
  },
  "an AsyncDisposable": {
    [Symbol.asyncDispose]: async () => {
      await Promise.resolve()
      log.push("asyncDispose")
    }
  },
  "what is both, as `await using` would": {
    [Symbol.dispose]: () => {
      log.push("dispose")
    },
    [Symbol.asyncDispose]: async () => {
      log.push("asyncDispose")
    }
  },
  "what has an empty asyncDispose, by the other": {
    [Symbol.dispose]: () => {
      log.push("dispose")
    },
    [Symbol.asyncDispose]: undefined
  } as Disposable,
  "an AsyncDisposable that gives no promise": {
    [Symbol.asyncDispose]: (() => {
      log.push("asyncDispose")
    }) as unknown as () => Promise<void>
  },
  "one that uses `this`": {
    name: "dispose",
    [Symbol.dispose]() {
      log.push(this.name)
    }
  } as Disposable & { readonly name: string }
})

describe("fromDisposable", () => {
  for (const kind of Object.keys(kinds([]))) {
    it.live(`releases ${kind}, once, when the scope closes or early`, () =>
      Effect.gen(function*() {
        const log: Array<string> = []
        const resource = kinds(log)[kind]!
        const [method] = kind.startsWith("an ") || kind.includes("both") ? ["asyncDispose"] : ["dispose"]
        yield* Effect.scoped(Effect.gen(function*() {
          const guard = yield* ResourceGuard.fromDisposable(Effect.succeed(resource), { typeName: "Thing" })
          expect(yield* guard.value).toBe(resource)
          expect(guard.info.typeName).toBe("Thing")
          expect(log).toEqual([])
        }))
        expect(log).toEqual([method])
        yield* Effect.scoped(
          Effect.flatMap(ResourceGuard.fromDisposable(Effect.succeed(resource)), (guard) => guard.cleanup)
        )
        expect(log).toEqual([method, method])
      }).pipe(provide))
  }

  const failures: Record<string, Disposable | AsyncDisposable> = {
    "throws": {
      [Symbol.dispose]: () => {
        throw new TypeError("busy")
      }
    },
    "rejects": { [Symbol.asyncDispose]: () => Promise.reject(new TypeError("busy")) },
    "rejects, though it should give no promise": {
      [Symbol.dispose]: (async () => {
        await Promise.resolve()
        throw new TypeError("busy")
      }) as unknown as () => void
    },
    "gives a thenable that throws": {
      [Symbol.dispose]: () => ({
        then: () => {
          throw new TypeError("busy")
        }
      })
    },
    "throws when it is looked at": {
      get [Symbol.asyncDispose](): () => Promise<void> {
        throw new TypeError("busy")
      }
    },
    "is not there": { close: () => {} } as unknown as Disposable,
    "throws before there is a promise": {
      [Symbol.asyncDispose]: () => {
        throw new TypeError("busy")
      }
    }
  }
  for (const [how, resource] of Object.entries(failures)) {
    it.live(`fails the cleanup with the error of a dispose that ${how}, which the recovery sees`, () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const guard = yield* ResourceGuard.fromDisposable(Effect.succeed(resource), {
          recovery: {
            strategy: (error) => {
              seen.push(error._tag === "CleanupFailed" ? Option.getOrNull(error.error) : error)
              return "Fail"
            }
          }
        })
        const error = yield* Effect.flip(guard.cleanup)
        const thrown = new TypeError(how === "is not there" ? "resource[Symbol.dispose] is not a function" : "busy")
        expect(error._tag === "CleanupFailed" && Option.getOrNull(error.error)).toEqual(thrown)
        expect(error.message).toContain(`failed after 1 attempt: ${thrown}`)
        expect(seen).toEqual([thrown])
      }).pipe(Effect.scoped, provide))
  }

  it.live("waits for a `Symbol.dispose` that is an async function, which plain `await using` leaves running", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const resource = {
        [Symbol.dispose]: (async () => {
          await new Promise((resolve) => setImmediate(resolve))
          log.push("disposed")
        }) as unknown as () => void
      }
      yield* Effect.scoped(ResourceGuard.fromDisposable(Effect.succeed(resource)))
      expect(log).toEqual(["disposed"])
    }).pipe(provide))

  it.effect("lets a dispose go that does not end in time, and what is behind it is released", () =>
    Effect.gen(function*() {
      const log: Array<string> = []
      const scope = yield* Scope.make()
      yield* Scope.extend(Effect.addFinalizer(() => Effect.sync(() => log.push("behind it"))), scope)
      yield* Scope.extend(
        ResourceGuard.fromDisposable(
          Effect.succeed<AsyncDisposable>({ [Symbol.asyncDispose]: () => new Promise(() => {}) }),
          { timeout: "3 seconds", attemptTimeout: "3 seconds" }
        ),
        scope
      )
      const closing = yield* Effect.fork(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(closing)
      expect(log).toEqual(["behind it"])
      expect((yield* (yield* registry).accounts).abandoned).toBe(1)
    }).pipe(provide))

  it.live("closes a real file, and a real server", () =>
    Effect.gen(function*() {
      const file = yield* Effect.scoped(Effect.flatMap(
        ResourceGuard.fromDisposable(Effect.promise(() => open(import.meta.filename))),
        (guard) => Effect.tap(guard.value, (file) => Effect.sync(() => expect(file.fd).toBeGreaterThan(0)))
      ))
      expect(file.fd).toBe(-1)
      const listen = Effect.async<ReturnType<typeof createServer>>((resume) => {
        const server = createServer()
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      })
      const server = yield* Effect.scoped(Effect.flatMap(
        ResourceGuard.fromDisposable(listen),
        (guard) => Effect.tap(guard.value, (server) => Effect.sync(() => expect(server.listening).toBe(true)))
      ))
      expect(server.listening).toBe(false)
    }).pipe(provide))
})

/** A program outside of Effect that uses a guard. */
const outside = async (
  release: Effect.Effect<unknown, unknown>,
  block: (
    guard: ResourceGuard.ResourceGuard<string, unknown>,
    runtime: ResourceRuntime.ResourceRuntime<ResourceRegistry.ResourceRegistry, unknown>
  ) => Promise<void>,
  options?: ResourceGuard.GuardOptions<string, unknown>
) => {
  await using runtime = ResourceRuntime.make(
    Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger))
  )
  const guard = await runtime.runPromise(
    Scope.extend(ResourceGuard.make(Effect.succeed("value"), () => release, options), runtime.scope)
  )
  await block(guard, runtime)
}

describe("toAsyncDisposable", () => {
  it("gives the value, and cleans up at the end of an `await using` block, before anything after it", async () => {
    const log: Array<string> = []
    const release = Effect.andThen(Effect.yieldNow(), Effect.sync(() => log.push("released")))
    await outside(release, async (guard, runtime) => {
      {
        await using resource = ResourceGuard.toAsyncDisposable(guard)
        expect(resource.value).toBe("value")
        await runtime.runPromise(guard.update(() => "updated"))
        expect(resource.value).toBe("updated")
        log.push("end of the block")
      }
      log.push("after the block")
      expect(runtime.runSync(guard.state)).toBe("cleaned")
    })
    expect(log).toEqual(["end of the block", "released", "after the block"])
  })

  it("rejects with the typed error of a cleanup that failed", async () => {
    await outside(Effect.fail("refused"), async (guard) => {
      const block = async () => {
        await using resource = ResourceGuard.toAsyncDisposable(guard)
        return resource.value
      }
      const error = await block().catch((error) => error)
      expect(error).toBeInstanceOf(CleanupError.CleanupFailed)
      expect(Option.getOrNull((error as CleanupError.CleanupFailed).error)).toBe("refused")
    })
  })

  it("rejects with the typed error of a cleanup that did not end in time", async () => {
    await outside(
      Effect.never,
      async (guard) => {
        const resource = ResourceGuard.toAsyncDisposable(guard)
        await expect(resource[Symbol.asyncDispose]()).rejects.toMatchObject({ _tag: "CleanupTimeout" })
      },
      { timeout: "20 millis", attemptTimeout: "20 millis", recovery: { strategy: () => "Fail" } }
    )
  })

  it("hides no error of the block behind its own", async () => {
    await outside(Effect.fail("refused"), async (guard) => {
      const block = async () => {
        await using resource = ResourceGuard.toAsyncDisposable(guard)
        throw new Error(`of the block with ${resource.value}`)
      }
      const error = await block().catch((error) => error)
      expect(error).toMatchObject({
        error: { _tag: "CleanupFailed" },
        suppressed: new Error("of the block with value")
      })
    })
  })

  it("leaves alone what has been cleaned up or disarmed by then, or is disposed again", async () => {
    let released = 0
    const release = Effect.suspend(() => Effect.fail(`refused ${++released}`))
    const early: Record<string, (guard: ResourceGuard.ResourceGuard<string, unknown>) => Effect.Effect<unknown>> = {
      "cleaned up": (guard) => Effect.exit(guard.cleanup),
      disarmed: (guard) => Effect.orDie(guard.disarm),
      disposed: (guard) =>
        Effect.promise(() => ResourceGuard.toAsyncDisposable(guard)[Symbol.asyncDispose]().catch(() => {}))
    }
    for (const [how, end] of Object.entries(early)) {
      const before = released
      await outside(release, async (guard, runtime) => {
        const resource = ResourceGuard.toAsyncDisposable(guard)
        await runtime.runPromise(end(guard))
        await expect(resource[Symbol.asyncDispose]()).resolves.toBe(undefined)
        expect(() => resource.value).toThrow(CleanupError.AlreadyCleanedUp)
      })
      expect([how, released - before]).toEqual([how, how === "disarmed" ? 0 : 1])
    }
  })

  it("waits for a cleanup that somebody else has begun", async () => {
    const log: Array<string> = []
    const gate = Effect.runSync(Deferred.make<void>())
    const release = Effect.andThen(Deferred.await(gate), Effect.sync(() => log.push("released")))
    await outside(release, async (guard, runtime) => {
      const resource = ResourceGuard.toAsyncDisposable(guard)
      const cleanup = runtime.runPromise(guard.cleanup)
      const disposed = resource[Symbol.asyncDispose]().then(() => log.push("disposed"))
      await new Promise((resolve) => setImmediate(resolve))
      expect(log).toEqual([])
      await runtime.runPromise(Deferred.succeed(gate, undefined))
      await Promise.all([cleanup, disposed])
      expect(log).toEqual(["released", "disposed"])
    })
  })

  it("cleans up in the turn in which it is asked to, as far as that goes", async () => {
    let released = false
    await outside(Effect.sync(() => released = true), async (guard) => {
      const resource = ResourceGuard.toAsyncDisposable(guard)
      const disposed = resource[Symbol.asyncDispose]()
      expect(released).toBe(true)
      await disposed
    })
  })

  // No clock moves here: no limit ends it.
  const disposing = (guard: ResourceGuard.ResourceGuard<string, unknown>) =>
    Effect.promise(async () => {
      await using resource = ResourceGuard.toAsyncDisposable(guard)
      await Promise.resolve()
      expect(resource.value).toBe("inner")
    })

  it.effect("toAsyncDisposable used in a guard's release does not wait for that same cleanup (P8)", () =>
    Effect.gen(function*() {
      const outer: { guard?: ResourceGuard.ResourceGuard<string, unknown> } = {}
      const inner = yield* ResourceGuard.make(
        Effect.succeed("inner"),
        () => Effect.andThen(Effect.yieldNow(), Effect.exit(Effect.suspend(() => outer.guard!.cleanup)))
      )
      outer.guard = yield* ResourceGuard.make(Effect.succeed("outer"), () => disposing(inner))
      yield* outer.guard.cleanup
      expect((yield* (yield* registry).accounts).cleaned).toBe(2)
    }).pipe(Effect.scoped, provide))

  it.effect("toAsyncDisposable used in a finalizer of a ResourceScope does not wait for that same close (P8)", () =>
    Effect.gen(function*() {
      const scope = yield* ResourceScope.make()
      const inner = yield* ResourceGuard.make(
        Effect.succeed("inner"),
        () => Effect.andThen(Effect.yieldNow(), Scope.close(scope, Exit.void))
      )
      yield* Scope.addFinalizer(scope, disposing(inner))
      expect((yield* ResourceScope.close(scope, Exit.void)).totals.cleaned).toBe(1)
      expect(yield* inner.state).toBe("cleaned")
    }).pipe(Effect.scoped, provide))
})

describe("both ways", () => {
  it.live("a guard of a guard's disposable cleans up the first, and tells its error", () =>
    Effect.gen(function*() {
      const first = yield* ResourceGuard.make(Effect.succeed("value"), () => Effect.fail("refused"))
      const second = yield* ResourceGuard.fromDisposable(Effect.sync(() => ResourceGuard.toAsyncDisposable(first)))
      const error = yield* Effect.flip(second.cleanup)
      const inner = error._tag === "CleanupFailed" ? Option.getOrNull(error.error) : undefined
      expect(inner).toBeInstanceOf(CleanupError.CleanupFailed)
      expect(Cause.squash((inner as CleanupError.CleanupFailed).cause)).toBe("refused")
    }).pipe(Effect.scoped, provide))
})
