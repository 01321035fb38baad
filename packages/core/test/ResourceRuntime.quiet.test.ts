/** A ResourceRuntime keeps nothing of a run that has ended, holds no timer, and keeps no process alive. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Effect, type Fiber, Layer, Logger, Scope } from "effect"
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { ResourceRuntime } from "../src/index.js"

setFlagsFromString("--expose-gc")
const collect: () => void = runInNewContext("gc")

const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** How many are still there after the collector had its turns. */
const kept = async (refs: ReadonlyArray<WeakRef<object>>) => {
  for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
    await nextTurn()
    collect()
  }
  return refs.filter((ref) => ref.deref() !== undefined).length
}

class Service extends Context.Tag("app/Service")<Service, { readonly bulk: ReadonlyArray<unknown> }>() {}
const layer = Layer.scoped(Service, Effect.acquireRelease(Effect.sync(() => ({ bulk: [] })), () => Effect.void))

/** Timers set while `run` runs and not over at its end. */
const timersOf = async (run: () => Promise<unknown>): Promise<number> => {
  const { clearTimeout, setTimeout } = globalThis
  const open = new Set<unknown>()
  globalThis.setTimeout = ((run: () => void, ...rest: Array<any>) => {
    const handle = setTimeout(() => {
      open.delete(handle)
      run()
    }, ...rest)
    open.add(handle)
    return handle
  }) as typeof setTimeout
  globalThis.clearTimeout = ((handle: any) => {
    open.delete(handle)
    clearTimeout(handle)
  }) as typeof clearTimeout
  try {
    await run()
    return open.size
  } finally {
    Object.assign(globalThis, { clearTimeout, setTimeout })
  }
}

/** Runs a program in a process of its own. */
const run = (program: string) =>
  new Promise<{ code: number | null; output: string; signal: string | null }>((resolve, reject) => {
    const core = fileURLToPath(new URL("../src/index.ts", import.meta.url))
    const source = `
      import { ResourceRuntime } from ${JSON.stringify(core)}
      import { Context, Effect, Layer } from "effect"
      class Service extends Context.Tag("app/Service")() {}
      const say = (what) => Effect.sync(() => console.log(what))
      const layer = Layer.scoped(Service, Effect.acquireRelease(Effect.succeed("service"), () => say("released")))
      ${program}
    `
    const child = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "-e", source], {
      cwd: fileURLToPath(new URL("../../..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
      timeout: 20_000
    })
    let output = ""
    child.stdout.on("data", (chunk) => output += chunk)
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, output, signal }))
  })

describe("a ResourceRuntime", () => {
  it("keeps nothing of ten thousand runs that have ended, failed or been interrupted", async () => {
    const runtime = ResourceRuntime.make(layer)
    const refs: Array<WeakRef<object>> = []
    const tracked = (fiber: Fiber.RuntimeFiber<unknown, unknown>) => refs.push(new WeakRef(fiber))
    for (let i = 0; i < 10_000 / 4; i++) {
      tracked(runtime.runFork(Effect.succeed(i)))
      tracked(runtime.runFork(Effect.andThen(Effect.yieldNow(), Effect.fail(i))))
      const interrupted = runtime.runFork(Effect.async<void>(() => {}))
      interrupted.unsafeInterruptAsFork(interrupted.id())
      tracked(interrupted)
      refs.push(new WeakRef(await runtime.runPromise(Effect.sync(() => ({ i })))))
    }
    expect(refs.length).toBe(10_000)
    expect(await kept(refs)).toBe(0)
    expect(await runtime.runPromise(Effect.as(Service, "still open"))).toBe("still open")
    await runtime.dispose()
  })

  it("keeps no run that has ended, though what it acquired stays open", async () => {
    const runtime = ResourceRuntime.make(layer)
    const acquire = Scope.extend(Effect.acquireRelease(Effect.void, () => Effect.void), runtime.scope)
    const refs = Array.from({ length: 10 }, () => new WeakRef<object>(runtime.runFork(acquire)))
    expect(await kept(refs)).toBe(0)
    expect((await runtime.dispose()).totals.cleaned).toBe(11)
  })

  it("lets go of its services when it has been disposed, though it is itself kept", async () => {
    const runtime = ResourceRuntime.make(layer)
    const refs = [new WeakRef<object>(runtime.runSync(Service)), new WeakRef<object>(await runtime.runtime())]
    await nextTurn()
    collect()
    expect(refs.map((ref) => ref.deref() !== undefined)).toEqual([true, true])
    await runtime.dispose()
    expect(await kept(refs)).toBe(0)
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
