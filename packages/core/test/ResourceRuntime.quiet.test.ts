/** A ResourceRuntime keeps nothing of a run that has ended, holds no timer, and keeps no process alive. */
import { describe, expect, it } from "@effect/vitest"
import { HeapProbe, ProcessTimers } from "@patinox/vitest"
import { Context, Effect, Layer, Logger, Scope } from "effect"
import { runSource } from "../../../scripts/testing/runSource.js"
import { ResourceRuntime } from "../src/index.js"

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

class Service extends Context.Tag("app/Service")<Service, { readonly bulk: ReadonlyArray<unknown> }>() {}
const layer = Layer.scoped(Service, Effect.acquireRelease(Effect.sync(() => ({ bulk: [] })), () => Effect.void))

const timersOf = (run: () => Promise<unknown>) => Effect.runPromise(ProcessTimers.leftBy(Effect.promise(run)))

/** Runs a program in a process of its own. */
const run = (program: string) =>
  Effect.runPromise(runSource(`
    import { ResourceRuntime } from "@patinox/core"
    import { Context, Effect, Layer } from "effect"
    class Service extends Context.Tag("app/Service")() {}
    const say = (what) => Effect.sync(() => console.log(what))
    const layer = Layer.scoped(Service, Effect.acquireRelease(Effect.succeed("service"), () => say("released")))
    ${program}
  `))

describe("a ResourceRuntime", () => {
  it("keeps nothing of ten thousand runs that have ended, failed or been interrupted", async () => {
    const runtime = ResourceRuntime.make(layer)
    const probe = HeapProbe.make()
    for (let i = 0; i < 10_000 / 4; i++) {
      probe.track(runtime.runFork(Effect.succeed(i)))
      probe.track(runtime.runFork(Effect.andThen(Effect.yieldNow(), Effect.fail(i))))
      const interrupted = runtime.runFork(Effect.async<void>(() => {}))
      interrupted.unsafeInterruptAsFork(interrupted.id())
      probe.track(interrupted)
      probe.track(await runtime.runPromise(Effect.sync(() => ({ i }))))
    }
    expect(probe.tracked()).toBe(10_000)
    expect(await Effect.runPromise(probe.kept)).toBe(0)
    expect(await runtime.runPromise(Effect.as(Service, "still open"))).toBe("still open")
    await runtime.dispose()
  })

  it("keeps no run that has ended, though what it acquired stays open", async () => {
    const runtime = ResourceRuntime.make(layer)
    const acquire = Scope.extend(Effect.acquireRelease(Effect.void, () => Effect.void), runtime.scope)
    const probe = HeapProbe.make()
    for (let i = 0; i < 10; i++) probe.track(runtime.runFork(acquire))
    expect(await Effect.runPromise(probe.kept)).toBe(0)
    expect((await runtime.dispose()).totals.cleaned).toBe(11)
  })

  it("lets go of its services when it has been disposed, though it is itself kept", async () => {
    const runtime = ResourceRuntime.make(layer)
    const probe = HeapProbe.make()
    probe.track(runtime.runSync(Service))
    probe.track(await runtime.runtime())
    expect(await Effect.runPromise(probe.kept)).toBe(2)
    await runtime.dispose()
    expect(await Effect.runPromise(probe.kept)).toBe(0)
    expect(String(runtime.runSyncExit(Service))).toContain("RuntimeDisposed")
  })

  it("holds no timer: idle, between runs, nor when it has been disposed, whatever it had to wait for", async () => {
    const runtime = ResourceRuntime.make(Layer.provideMerge(layer, Logger.remove(Logger.defaultLogger)))
    expect(await timersOf(() => runtime.runPromise(Effect.promise(nextTurn)))).toBe(0)
    const pending = () => {
      runtime.runFork(Effect.onInterrupt(Effect.async(() => {}), () => Effect.promise(nextTurn)))
      return nextTurn()
    }
    expect(await timersOf(pending)).toBe(0)
    expect(await timersOf(() => runtime.dispose())).toBe(0)
    expect(await timersOf(() => ResourceRuntime.make(layer).dispose())).toBe(0)
  })

  it("keeps no process alive: one with an open runtime, and a run that waits, ends by itself", async () => {
    const result = await run(`
      const runtime = ResourceRuntime.make(layer)
      runtime.runSync(Service)
      runtime.runFork(Effect.async(() => {}))
      console.log("open", process.getActiveResourcesInfo().filter((name) => name === "Timeout").length)
    `)
    expect(result).toEqual({ code: 0, output: "open 0\n", signal: null })
  })

  it("lets a process end once it has been disposed", async () => {
    const result = await run(`
      const runtime = ResourceRuntime.make(layer)
      console.log(await runtime.runPromise(Service))
      runtime.runFork(Effect.onInterrupt(Effect.never, () => say("ended")))
      await runtime[Symbol.asyncDispose]()
      console.log("disposed")
    `)
    expect(result).toEqual({ code: 0, output: "service\nended\nreleased\ndisposed\n", signal: null })
  })
})
