/** What an idle registry holds and does once it has been used: timers, and turns of the event loop. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Effect, ManagedRuntime, Scope } from "effect"
import { createHook } from "node:async_hooks"
import { spawn } from "node:child_process"
import type { Family } from "../figure.js"
import { inChild } from "../inChild.js"
import { times } from "../paired.js"

interface Idle {
  readonly timers: number
  readonly wakeUps: number
}

const guard = (release: Effect.Effect<void, string>) =>
  ResourceGuard.acquireRelease(Effect.succeed("connection"), () => release, {
    typeName: "Connection",
    recovery: { fallback: () => Effect.void }
  })

/** Cleanups of every kind, and resources that stay live. */
const use = (open: Scope.Scope) =>
  Effect.gen(function*() {
    const registry = yield* ResourceRegistry.ResourceRegistry
    yield* times(100, () => Effect.scoped(guard(Effect.void)))
    yield* times(10, () => Effect.scoped(guard(Effect.sleep("1 millis"))))
    yield* times(10, () => Effect.scoped(guard(Effect.fail("refused"))))
    yield* times(100, () => registry.schedule({ cleanup: Effect.sleep("1 millis") }))
    yield* registry.awaitIdle
    yield* Scope.extend(times(100, () => guard(Effect.void)), open)
  })

const timers = () => process.getActiveResourcesInfo().filter((type) => /Timeout|Immediate/.test(type)).length

export const idleFor = async (millis: number): Promise<Idle> => {
  let wakeUps = 0
  let isIdle = false
  let clockId = -1
  // From the start, so that what was set before the wait is known to be no part of it.
  const hook = createHook({
    init: (id, type) => {
      if (type === "PROCESSWRAP") clockId = id
    },
    before: (id) => {
      if (id === clockId) isIdle = false
      if (isIdle) wakeUps++
    }
  }).enable()
  const runtime = ManagedRuntime.make(ResourceRegistry.layer)
  await runtime.runPromise(use(await Effect.runPromise(Scope.make())))
  // Another process keeps the time, for this one must not have a timer.
  const clock = spawn(process.execPath, ["-e", `setTimeout(() => {}, ${millis})`], { stdio: "ignore" })
  await new Promise<void>((resume) => setTimeout(resume, 100))
  const held = await new Promise<number>((resolve) => {
    clock.once("exit", () => resolve(timers()))
    // This turn still has promises to run.
    setImmediate(() => {
      isIdle = true
    })
  })
  hook.disable()
  return { timers: held, wakeUps }
}

export const family: Family = {
  ids: ["idle-timers", "idle-wake-ups"],
  isAside: true,
  measure: async ({ quick }) => {
    const idle = await inChild<Idle>({ module: import.meta.url, name: "idleFor", args: [quick ? 5_000 : 60_000] })
    return { "idle-timers": [idle.timers], "idle-wake-ups": [idle.wakeUps] }
  }
}
