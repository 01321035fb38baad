import { expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { HeapProbe, NodeProgram, ProcessTimers } from "../src/index.js"

it.live("HeapProbe counts the tracked objects that are still held", () =>
  Effect.gen(function*() {
    const probe = HeapProbe.make()
    const held = Array.from({ length: 10 }, (_, number) => probe.track({ number }))
    for (let i = 0; i < 90; i++) probe.track({})
    expect([probe.tracked(), yield* probe.kept]).toEqual([100, 10])
    expect(held.length).toBe(10)
    probe.forget()
    expect([probe.tracked(), yield* probe.kept]).toEqual([0, 0])
  }))

it.live("HeapProbe reads the bytes that are held, and not those of garbage", () =>
  Effect.gen(function*() {
    const fill = () => Array.from({ length: 200_000 }, (_, number) => ({ number }))
    const before = yield* HeapProbe.bytesInUse
    const held = fill()
    const during = yield* HeapProbe.bytesInUse
    expect(during - before).toBeGreaterThan(12 * held.length)
    held.length = 0
    fill()
    expect((yield* HeapProbe.bytesInUse) - before).toBeLessThan(1_000_000)
  }))

it.live("HeapProbe tells the growth of what leaks each time from what is kept once", () =>
  Effect.gen(function*() {
    const fill = () => Array.from({ length: 100_000 }, (_, number) => ({ number }))
    const held: Array<unknown> = []
    const leak = Effect.sync(() => held.push(fill()))
    expect(yield* HeapProbe.growth(leak)).toBeGreaterThan(1_000_000)
    expect(held.length).toBe(4)
    let runs = 0
    const once = Effect.sync(() => ++runs === 3 && held.push(fill()))
    expect(yield* HeapProbe.growth(once)).toBeLessThan(200_000)
    expect([runs, held.length]).toEqual([4, 5])
    expect(yield* HeapProbe.growth(Effect.sync(() => ++runs), { runs: 1 })).toBeLessThan(200_000)
    expect(runs).toBe(6)
  }))

it.live("ProcessTimers counts timers that are neither over nor cleared, and restores the process's own", () =>
  Effect.gen(function*() {
    const own = [setTimeout, setInterval, clearTimeout, clearInterval]
    const handles: Array<NodeJS.Timeout> = []
    const active = ProcessTimers.active()
    const left = yield* ProcessTimers.leftBy(Effect.gen(function*() {
      handles.push(setTimeout(() => {}, 60_000), setInterval(() => {}, 60_000))
      clearTimeout(setTimeout(() => {}, 60_000))
      clearInterval(setInterval(() => {}, 60_000))
      yield* Effect.sleep("1 millis")
      expect(ProcessTimers.active() - active).toBe(2)
    }))
    for (const handle of handles) clearTimeout(handle)
    expect(left).toBe(2)
    expect([setTimeout, setInterval, clearTimeout, clearInterval]).toEqual(own)
  }))

it.live("ProcessTimers restores the process's own where the effect fails", () =>
  Effect.gen(function*() {
    const own = setTimeout
    expect(yield* Effect.flip(ProcessTimers.leftBy(Effect.fail("refused")))).toBe("refused")
    expect(setTimeout).toBe(own)
  }))

it.live("NodeProgram tells the code, the signal and the output of a process", () =>
  Effect.gen(function*() {
    const program = "console.log(typeof gc); process.exitCode = 3"
    expect(yield* NodeProgram.run(program, { nodeOptions: ["--expose-gc"] }))
      .toEqual({ code: 3, signal: null, output: "function\n" })
    expect(yield* NodeProgram.run("setInterval(() => {}, 1_000)", { timeoutMillis: 100 }))
      .toEqual({ code: null, signal: "SIGTERM", output: "" })
    expect(yield* Effect.flip(NodeProgram.run("", { cwd: "/no/such/folder" }))).toMatchObject({ _tag: "NotStarted" })
  }))

it.live("NodeProgram ends when it is interrupted, though the process would go on", () =>
  Effect.gen(function*() {
    const running = yield* Effect.fork(NodeProgram.run("setInterval(() => {}, 1_000)"))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(running)
  }))
