import { describe, expect, it } from "@effect/vitest"
import { Fault, TestResource, Untellable } from "@patinox/vitest"
import { Cause, Deferred, Effect, Exit, Layer, Logger, Option, Schedule, Scope, Tracer } from "effect"
import {
  type CleanupPriority,
  type ResourceEvent,
  ResourceGuard,
  ResourceId,
  ResourceMonitor,
  ResourceRegistry
} from "../src/index.js"

const registry = ResourceRegistry.ResourceRegistry

/** Takes note of the lines, and then throws what cannot be looked at. */
const throwingLogger = (lines: Array<string>) =>
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      lines.push(String(Array.isArray(message) ? message[0] : message))
      throw Untellable.proxy()
    })
  )

const balanced = (r: ResourceRegistry.Shape) =>
  Effect.map(r.accounts, ({ abandoned, cleaned, disarmed, failed, live, recovered, registered }) => {
    expect(registered).toBe(live + cleaned + recovered + failed + abandoned + disarmed)
    return { live, cleaned, failed, recovered, disarmed }
  })

describe("a release whose error cannot be shown as text", () => {
  const ends = ["fails", "dies", "throws"] as const
  it.effect.each(Untellable.forms.flatMap((form) => ends.map((end) => [form, end] as const)))(
    "costs no other cleanup, no slot and no shutdown (%s, %s)",
    ([form, end]) => {
      const lines: Array<string> = []
      return Effect.gen(function*() {
        const r = yield* registry
        const scope = yield* Scope.make()
        const made = yield* Effect.forEach(["first", "untellable", "last"], (name) =>
          Effect.flatMap(
            TestResource.make(name, { fault: name === "untellable" ? Fault.untellable(form, end) : Fault.none }),
            (resource) =>
              Effect.as(
                Scope.extend(ResourceGuard.make(resource.acquire, resource.release, { typeName: name }), scope),
                resource
              )
          ))
        const other = yield* TestResource.make("scheduled", { fault: Fault.untellable(form, end) })
        yield* r.schedule({ typeName: "scheduled", cleanup: Effect.suspend(() => other.release()) })
        yield* r.schedule({ typeName: "healthy", cleanup: Effect.void })
        expect(yield* Effect.exit(Scope.close(scope, Exit.void))).toEqual(Exit.void)
        yield* r.awaitIdle
        expect(made.map((resource) => resource.released())).toEqual([1, 0, 1])
        expect(yield* balanced(r)).toMatchObject({ live: 0, cleaned: 3, failed: 2 })
        expect(lines.filter((line) => line.includes("failed after 1 attempt"))).toHaveLength(2)
        const letter = (yield* r.deadLetters.list)[0]!
        expect(Exit.isFailure(yield* Effect.exit(r.deadLetters.retry(letter.id)))).toBe(true)
        expect((yield* r.shutdown).deadlineReached).toBe(false)
      }).pipe(
        Effect.provide(Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 }))),
        Effect.provide(Logger.replace(
          Logger.defaultLogger,
          // As Effect's own loggers do: a cause that cannot be shown would cost the line.
          Logger.make(({ cause, message }) => {
            lines.push(`${String(Array.isArray(message) ? message[0] : message)} ${Cause.pretty(cause)}`)
          })
        ))
      )
    }
  )

  it.effect("does so after a while, too, where nobody is at work but a timer", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const gate = yield* Deferred.make<void>()
      const cleanup = Effect.andThen(Deferred.await(gate), Effect.failCause(Cause.fail(Untellable.error())))
      const asked = yield* r.schedule({ typeName: "untellable", cleanup })
      yield* Deferred.succeed(gate, undefined)
      expect(yield* Effect.flip(asked.await)).toMatchObject({ _tag: "CleanupFailed" })
      expect(yield* balanced(r)).toMatchObject({ live: 0, failed: 1 })
    }).pipe(Effect.provide(ResourceRegistry.layer)))
})

describe("a logger that throws", () => {
  it.live("costs no cleanup, and the registry closes all the same", () => {
    const lines: Array<string> = []
    const released: Array<string> = []
    const guard = (name: string, release: Effect.Effect<void, string>) =>
      ResourceGuard.make(Effect.void, () => Effect.andThen(Effect.sync(() => released.push(name)), release), {
        typeName: name
      })
    return Effect.gen(function*() {
      const outer = yield* Scope.make()
      const scope = yield* Scope.make()
      const inside = Effect.all([guard("fine", Effect.void), guard("failing", Effect.fail("refused"))])
      const context = yield* Layer.buildWithScope(ResourceRegistry.layerWith({ leakThreshold: "1 millis" }), outer)
      // A second registry inside is a warning.
      yield* Effect.provide(Layer.buildWithScope(Layer.fresh(ResourceRegistry.layer), outer), context)
      yield* Effect.provide(Scope.extend(inside, scope), context)
      yield* Scope.close(outer, Exit.void)
      expect(released.sort()).toEqual(["failing", "fine"])
      expect(lines.some((line) => line.includes("closes under 2 guards"))).toBe(true)
      expect(lines.some((line) => line.includes("failed after 1 attempt: refused"))).toBe(true)
      expect(lines.some((line) => line.includes("shut down"))).toBe(true)
    }).pipe(Effect.provide(throwingLogger(lines)))
  })
})

describe("a tracer that throws", () => {
  /** Throws when a span of that name begins, or when it ends. */
  const tracer = (name: string, at: "begin" | "end") =>
    Effect.withTracer(Tracer.make({
      span: (spanName, parent, context, links, startTime, kind) => {
        if (spanName === name && at === "begin") throw new Error("no span")
        const span: Tracer.Span = {
          _tag: "Span",
          name: spanName,
          spanId: "1",
          traceId: "1",
          parent,
          context,
          status: { _tag: "Started", startTime },
          attributes: new Map(),
          links,
          sampled: true,
          kind,
          end: () => {
            if (spanName === name) throw new Error("no end")
          },
          attribute: () => {},
          event: () => {},
          addLinks: () => {}
        }
        return span
      },
      context: (f) => f()
    }))

  for (const name of ["patinox.acquire", "patinox.cleanup"]) {
    for (const at of ["begin", "end"] as const) {
      it.effect(`a tracer that throws at the ${at} of ${name} neither loses a resource nor releases it twice`, () =>
        Effect.gen(function*() {
          const r = yield* registry
          const resource = yield* TestResource.make("traced")
          const guard = ResourceGuard.make(resource.acquire, resource.release, {
            recovery: { strategy: () => "Retry" }
          })
          yield* Effect.scoped(guard).pipe(tracer(name, at))
          expect([resource.acquired(), resource.attempts(), resource.released()]).toEqual([1, 1, 1])
          expect(yield* balanced(r)).toMatchObject({ live: 0, cleaned: 1, failed: 0 })
        }).pipe(Effect.provide(ResourceRegistry.layer)))
    }
  }
})

describe("a generator of ids", () => {
  const generators: Readonly<Record<string, () => ResourceId.ResourceId>> = {
    "throws": () => {
      throw Untellable.proxy()
    },
    "gives the same one twice": () => "00000000-0000-4000-8000-000000000001" as ResourceId.ResourceId,
    "gives nothing": () => undefined as never
  }
  for (const [what, next] of Object.entries(generators)) {
    it.effect(`a generator of ids that ${what} costs no resource`, () =>
      Effect.gen(function*() {
        const r = yield* registry
        const resources = yield* Effect.forEach([1, 2, 3], (n) => TestResource.make(`r${n}`))
        const gate = yield* Deferred.make<void>()
        // All are being acquired at once, and so have got their ids before any of them is registered.
        const guards = yield* Effect.all([
          Effect.forEach(resources, (resource) =>
            ResourceGuard.make(Effect.andThen(Deferred.await(gate), resource.acquire), resource.release), {
            concurrency: "unbounded"
          }),
          Effect.andThen(Effect.yieldNow(), Deferred.succeed(gate, undefined))
        ], { concurrency: "unbounded" })
        expect(
          new Set(guards[0].map(({ id }) =>
            id
          )).size
        ).toBe(3)
        const letter = yield* r.register(() => Effect.fail("refused"))
        yield* Effect.exit(r.cleanup(letter))
        expect(yield* r.register(() => Effect.void)).not.toBe(letter)
        yield* r.shutdown
        expect(resources.map((resource) => resource.released())).toEqual([1, 1, 1])
        expect(yield* balanced(r)).toMatchObject({ live: 0, failed: 1 })
      }).pipe(
        Effect.scoped,
        Effect.provide(ResourceRegistry.layer.pipe(Layer.provide(Layer.succeed(ResourceId.Generator, { next }))))
      ))
  }
})

describe("options that change or throw when they are looked at", () => {
  it.effect("options that change when looked at are read once, so that what was checked is what counts", () =>
    Effect.gen(function*() {
      const r = yield* registry
      let reads = 0
      const options = {
        get priority() {
          return (reads++ === 0 ? "High" : "no priority") as CleanupPriority.CleanupPriority
        },
        typeName: "read once"
      }
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void, options)
      expect([guard.info.priority, reads]).toEqual(["High", 1])
      yield* r.schedule(guard)
      yield* r.awaitIdle
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))

  it.effect.each(["timeout", "priority", "recovery", "metadata", "sizeBytes", "onFailure", "close", "attemptTimeout"])(
    "options that throw when looked at do so before anything is acquired (%s)",
    (name) =>
      Effect.gen(function*() {
        const r = yield* registry
        const resource = yield* TestResource.make("never")
        const options = Object.defineProperty({}, name, {
          get: () => {
            throw new Error("no option")
          }
        })
        const exit = yield* Effect.exit(
          Effect.suspend(() => ResourceGuard.make(resource.acquire, resource.release, options))
        )
        expect(Exit.isFailure(exit) && Option.isSome(Cause.dieOption(exit.cause))).toBe(true)
        expect(resource.acquired()).toBe(0)
        expect((yield* r.snapshot).acquiring).toEqual([])
        yield* r.awaitIdle
      }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer))
  )

  it.effect("options of a recovery that throws leave the cleanup failed, and not hanging", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const recovery = {
        strategy: () => "Retry" as const,
        get retry(): Schedule.Schedule<unknown> {
          throw Untellable.proxy()
        }
      }
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { recovery })
      expect(yield* Effect.flip(guard.cleanup)).toMatchObject({ _tag: "CleanupFailed", attempts: 1 })
      expect(yield* balanced(r)).toMatchObject({ live: 0, failed: 1 })
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))

  it.effect("options of a request that throw when looked at are refused, and the guard stays in use", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const guard = yield* ResourceGuard.make(Effect.void, () => Effect.void)
      const exit = yield* Effect.exit(r.schedule({ resource: guard, priority: "Urgent" as never }))
      expect(String(Exit.isFailure(exit) && Cause.squash(exit.cause))).toContain(
        `Invalid option "priority": got "Urgent", expected one of Low, Normal, High, Critical`
      )
      expect(yield* guard.state).toBe("inUse")
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
})

describe("code of a user inside of a telling", () => {
  type Act = (r: ResourceRegistry.Shape, event: ResourceEvent.ResourceEvent) => Effect.Effect<unknown, unknown>
  const acts: Readonly<Record<string, Act>> = {
    "cleans up what it is told of": (r, event) => "id" in event ? r.cleanup(event.id) : Effect.void,
    "takes out what it is told of": (r, event) => "id" in event ? r.unregister(event.id) : Effect.void,
    "schedules what it is told of, and takes that back": (r, event) =>
      "id" in event ? Effect.flatMap(r.schedule(event.id), (asked) => asked.cancel) : Effect.void,
    "cleans up everything": (r) => r.forceCleanupAll,
    "cleans up everything but what it is told of": (r, event) =>
      r.cleanupWhere(({ id }) => !("id" in event) || id !== event.id),
    "shuts the registry down": (r) => r.shutdown,
    "registers another": (r) => r.register(() => Effect.void, { typeName: "another" }),
    "schedules another": (r) => r.schedule({ typeName: "another", cleanup: Effect.void }),
    "retries what has failed": (r) =>
      Effect.flatMap(r.deadLetters.list, Effect.forEach(({ id }) => Effect.exit(r.deadLetters.retry(id)))),
    "waits until nothing waits or runs": (r) => r.awaitIdle
  }
  const tags: ReadonlyArray<ResourceEvent.ResourceEvent["_tag"]> = [
    "Registered",
    "Scheduled",
    "Unscheduled",
    "Started",
    "Retried",
    "FellBack",
    "Cleaned",
    "Failed",
    "Recovered",
    "Disarmed",
    "Draining",
    "Closed"
  ]

  it.effect.each(Object.keys(acts).flatMap((act) => tags.map((tag) => [act, tag] as const)))(
    "finds everything in its place, and leaves it there (%s, at each %s)",
    ([name, tag]) => {
      const attempts = new Map<string, number>()
      const done = new Map<string, number>()
      let r: ResourceRegistry.Shape | undefined
      let acted = 0
      // In the turn of who tells, as far as it does not wait.
      const sync = (event: ResourceEvent.ResourceEvent) =>
        Effect.sync(() => {
          if (event._tag !== tag || r === undefined || acted++ > 20) return
          Effect.runSync(balanced(r))
          Effect.runFork(Effect.exit(acts[name]!(r, event)))
        })
      const release = (key: string, fails: number) => () =>
        Effect.suspend(() => {
          const attempt = (attempts.get(key) ?? 0) + 1
          attempts.set(key, attempt)
          if (attempt <= fails) return Effect.fail("refused")
          done.set(key, (done.get(key) ?? 0) + 1)
          return Effect.void
        })
      return Effect.gen(function*() {
        r = yield* registry
        const recovery = { strategy: () => "Retry" as const, retry: Schedule.recurs(1) }
        const make = (key: string, fails = 0, options: ResourceGuard.GuardOptions<void, string> = {}) =>
          Effect.exit(ResourceGuard.make(Effect.void, release(key, fails), { typeName: key, ...options }))
        const scope = yield* Scope.make()
        const inScope = (effect: ReturnType<typeof make>) => Scope.extend(effect, scope)
        const base = yield* inScope(make("base"))
        if (Exit.isSuccess(base)) yield* inScope(make("dependent", 0, { dependsOn: [base.value] }))
        yield* inScope(make("retried", 1, { recovery }))
        yield* inScope(make("fallback", 9, { recovery: { fallback: () => Effect.void } }))
        yield* inScope(make("failing", 1))
        const out = yield* inScope(make("out"))
        if (Exit.isSuccess(out)) yield* Effect.exit(out.value.disarm)
        const back = yield* inScope(make("back", 0, { close: "background" }))
        if (Exit.isSuccess(back)) {
          const asked = yield* Effect.exit(r.schedule(back.value))
          if (Exit.isSuccess(asked)) yield* asked.value.cancel
        }
        yield* Effect.exit(r.schedule({ typeName: "own", cleanup: release("own", 0)() }))
        const closed = yield* Scope.make()
        yield* Scope.close(closed, Exit.void)
        yield* Scope.extend(make("late"), closed)
        yield* balanced(r)
        expect(Exit.isSuccess(yield* Effect.exit(Scope.close(scope, Exit.void)))).toBe(true)
        yield* r.awaitIdle
        const report = yield* r.shutdown
        expect(report.deadlineReached).toBe(false)
        yield* Effect.yieldNow()
        const { live } = yield* balanced(r)
        expect(live).toBe(0)
        expect((yield* r.snapshot).waiting).toEqual({ Low: 0, Normal: 0, High: 0, Critical: 0 })
        expect([...done].filter(([, times]) => times !== 1)).toEqual([])
      }).pipe(
        Effect.provide(
          Layer.orDie(ResourceRegistry.layerWith({ concurrency: 1 })).pipe(
            Layer.provide(ResourceMonitor.layer(ResourceMonitor.make(sync)))
          )
        )
      )
    }
  )
})

describe("a predicate that changes what it chooses among", () => {
  it.effect("makes cleanupWhere wait for nothing that is gone", () =>
    Effect.gen(function*() {
      const r = yield* registry
      const guards = yield* Effect.forEach([1, 2, 3], () => ResourceGuard.make(Effect.void, () => Effect.void))
      const report = yield* r.cleanupWhere(({ id }) => {
        Effect.runSync(Effect.ignore(r.cleanup(id)))
        return true
      })
      expect(report.totals.total).toBe(0)
      expect(yield* Effect.forEach(guards, (guard) => guard.state)).toEqual(["cleaned", "cleaned", "cleaned"])
    }).pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
})
