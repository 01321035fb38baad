/**
 * Texts of tests that are otherwise on Effect 4, where a fact of Effect's own shows in what is expected: put in before the
 * codemod reads the file. Each must be met. What a promise of ours says is never among them.
 */
export interface Substitution {
  readonly of: string
  readonly by: string
  readonly why: string
}

const asyncFiber: Substitution = {
  of: `toThrow("cannot be resolved synchronously")`,
  by: `toThrow("An asynchronous Effect was executed with Effect.runSync")`,
  why: "the message of Effect 4's AsyncFiberError"
}

export const substitutions: Readonly<Record<string, ReadonlyArray<Substitution>>> = {
  "packages/cache/test/ResourceCache.events.test.ts": [
    {
      of: `cause: { _tag: "Fail", error: "none" }`,
      by: `cause: { reasons: [{ _tag: "Fail", error: "none" }] }`,
      why: "a cause is a list of reasons"
    }
  ],
  "packages/cache/test/ResourceCache.lookups.test.ts": [
    {
      of: `{ batching: true, concurrency: "unbounded" }`,
      by: `{ concurrency: "unbounded" }`,
      why: "Effect 4 always makes one batch of requests that are made side by side"
    },
    {
      of: `          batching: true,
`,
      by: "",
      why: "Effect 4 always makes one batch of requests that are made side by side"
    },
    {
      of: `yield* Effect.withRequestBatching(
        Effect.forEach(ids, (id) => cache.get(id), { batching: "inherit", concurrency: "unbounded" }),
        true
      )`,
      by: `yield* Effect.forEach(ids, (id) => cache.get(id), { concurrency: "unbounded" })`,
      why: "Effect 4 always makes one batch of requests that are made side by side"
    },
    {
      of: `expect(queries.splice(0)).toEqual(ids.map(() => 1))`,
      by: `expect(queries.splice(0)).toEqual([20])`,
      why: "Effect 4 always makes one batch of requests that are made side by side"
    }
  ],
  "packages/cache/test/ResourceCache.sharing.test.ts": [
    {
      of: `cause: { error: { _tag: "CacheCycle" } }`,
      by: `cause: { reasons: [{ error: { _tag: "CacheCycle" } }] }`,
      why: "a cause is a list of reasons"
    }
  ],
  "packages/cache/test/peers/ours.ts": [
    {
      of: `exit.cause._tag === "Fail" ? exit.cause.error : exit.cause`,
      by: `exit.cause.reasons[0]?._tag === "Fail" ? exit.cause.reasons[0].error : exit.cause`,
      why: "a cause is a list of reasons"
    }
  ],
  "packages/cache/test/ResourceCache.keys.test.ts": [
    {
      of: `  ["objects of one content", { a: 1 }, { a: 1 }],
  ["arrays of one content", [1], [1]],
`,
      by: "",
      why: "plain objects and arrays of one content are equal in Effect 4"
    }
  ],
  "packages/cache/test/ResourceCache.several.test.ts": [
    { of: `cause: { _tag: "Die" }`, by: `cause: { reasons: [{ _tag: "Die" }] }`, why: "a cause is a list of reasons" }
  ],
  "packages/cache/test/ResourceCache.weights.test.ts": [
    {
      of: `toMatchObject({ _tag: "Die" })`,
      by: `toMatchObject({ reasons: [{ _tag: "Die" }] })`,
      why: "a cause is a list of reasons"
    }
  ],
  "packages/core/test/CleanupError.test.ts": [
    { of: `"InterruptedException"`, by: `"Error: Empty cause"`, why: "what an empty cause is squashed to" },
    {
      of: `cause: { _tag: "Fail", error: { _tag: "Typed", at: "1970-01-01T00:00:00.000Z" } }`,
      by: `cause: [{ _tag: "Fail", error: { _tag: "Typed", at: "1970-01-01T00:00:00.000Z" } }]`,
      why: "the JSON of a cause is a list of reasons"
    }
  ],
  "packages/core/test/ResourceGuard.recovery.test.ts": [
    {
      of: `expect(turns).toBeGreaterThan(50)`,
      by: `expect(turns).toBeGreaterThan(20)`,
      why: "a fiber of Effect 4 goes on for longer before it yields"
    }
  ],
  "packages/core/test/ResourceGuard.unscoped.test.ts": [
    {
      of: `/message="Lost was leaked: it was collected as garbage without a cleanup/`,
      by: `/WARN .*: Lost was leaked: it was collected as garbage without a cleanup/`,
      why: "how Effect 4's own logger writes a line"
    }
  ],
  "packages/core/test/ResourceId.test.ts": [
    {
      of: `assert.deepStrictEqual(error, [{
        message: "Expected a UUID as a resource id, got \\"nonsense\\"",
        meta: undefined
      }])`,
      by: `assert.include(String((error as Error).message), "Expected a UUID as a resource id, got \\"nonsense\\"")`,
      why: "a BrandError is one error, and no list"
    }
  ],
  "packages/core/test/ResourceRuntime.dispose.test.ts": [
    {
      of: `expect(states).toEqual(["released"])
    expect(left.unsafePoll()).toBe(null)
    await Effect.runPromise(Fiber.interrupt(left))
    expect(states).toEqual(["released", "ended, closed"])`,
      by: `expect(states).toEqual(["ended, open", "released"])
    await Effect.runPromise(Fiber.await(left))`,
      why: "Effect 4's ManagedRuntime ends its fibers first, too"
    },
    {
      of: `"app/Database cleaned",
      // Those of the logger.
      "layer cleaned",
      "layer cleaned"
    ]`,
      by: `"app/Database cleaned"
    ]`,
      why: "the layer of a logger has no finalizers in Effect 4"
    },
    {
      of: `runtime.runFork(Cache, { immediate: false })`,
      by: `runtime.runFork(Effect.andThen(Effect.yieldNow(), Cache))`,
      why: "no `immediate` among the options of runFork"
    },
    { of: `built.context.unsafeMap`, by: `built.unsafeMap`, why: "a runtime is a context" }
  ],
  "packages/core/test/ResourceRuntime.test.ts": [
    asyncFiber,
    {
      of: `it("builds the layer at the first run, in its turn, and once", async`,
      by: `it.skipIf(name === "ManagedRuntime")("builds the layer at the first run, in its turn, and once", async`,
      why: "Effect 4's ManagedRuntime cannot build in a call what yields; a ResourceRuntime can"
    },
    {
      of: `expect(counts).toEqual({ built: 2, released: 1 })`,
      by: `expect(counts).toEqual({ built: 2, released: 2 })`,
      why: "Effect 4's ManagedRuntime releases what a build that failed had acquired, too"
    },
    {
      of: `[{ strategy: "parallel" }, "strategy"]`,
      by: `[{ strategy: "side by side" }, "strategy"]`,
      why: "a strategy is a text in Effect 4"
    }
  ],
  "packages/core/test/ResourceScope.closing.test.ts": [
    { of: "(${strategy._tag})", by: "(${strategy})", why: "a strategy is a text or a number in Effect 4" }
  ],
  "packages/core/test/ResourceScope.test.ts": [
    {
      of: `expected an ExecutionStrategy"`,
      by: `expected \\"sequential\\", \\"parallel\\", or an integer from 1"`,
      why: "a strategy is a text or a number in Effect 4"
    }
  ],
  "packages/pool/test/ResourcePool.events.test.ts": [
    {
      of: `(events: Chunk.Chunk<any>)`,
      by: `(events: Iterable<any>)`,
      why: "what a stream collects is an array"
    }
  ],
  "packages/pool/test/ResourcePool.memory.test.ts": [
    {
      of: `probe.track({ bulk: Array.from({ length: 100 }) })`,
      by: `probe.track({ own: Symbol(), bulk: Array.from({ length: 100 }) })`,
      why: "plain objects of one content are equal in Effect 4, and one key"
    }
  ],
  "packages/pool/test/ResourcePool.shutdown.test.ts": [
    {
      of: `cause: { error: { _tag: "PoolClosed", pool: "db" } }`,
      by: `cause: { reasons: [{ error: { _tag: "PoolClosed", pool: "db" } }] }`,
      why: "a cause is a list of reasons"
    }
  ],
  "packages/pool/test/ResourcePool.timeout.test.ts": [
    {
      of: `let creating: Fiber.RuntimeFiber<unknown> | undefined`,
      by: `let creating: Fiber.RuntimeFiber<unknown, unknown> | undefined`,
      why: "the fiber at hand is one of any error"
    }
  ],
  "packages/vitest/test/Probes.test.ts": [
    {
      of: `yield* Effect.sleep("1 millis")
      expect(ProcessTimers`,
      by: `yield* Effect.sleep("1 millis")
      yield* Effect.yieldNow()
      expect(ProcessTimers`,
      why: "a sleeper goes on within the call of its timer"
    }
  ],
  "packages/vitest/test/ProgramRunner.test.ts": [
    {
      of: `,
  [
    "whose fiber throws what Effect cannot look at",
    "Crashed",
    Effect.andThen(
      Effect.yieldNow(),
      Effect.sync(() => {
        throw Untellable.proxy()
      })
    )
  ]`,
      by: "",
      why: "the loop of Effect 4 survives whatever is thrown in it"
    }
  ]
}
