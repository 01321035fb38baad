import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import { Condition } from "../../../src/internal/kernel/Condition.js"
import { type Deadline, makeTimers } from "../../../src/kernel.js"

const settle = Effect.repeatN(Effect.yieldNow(), 10)

describe("internal/kernel/Condition", () => {
  it.effect("a wait for what is so already does not wait", () =>
    Effect.gen(function*() {
      const condition = new Condition()
      expect(yield* condition.until(() => true)).toBe(true)
    }))

  it.effect("each wait ends at the first check that finds what it looks for, the earliest first", () =>
    Effect.gen(function*() {
      const condition = new Condition()
      const ended: Array<string> = []
      let count = 0
      const waitFor = (name: string, atLeast: number) =>
        Effect.fork(Effect.map(condition.until(() => count >= atLeast), () => ended.push(name)))
      yield* waitFor("a", 2)
      yield* waitFor("b", 1)
      yield* waitFor("c", 2)
      yield* settle
      for (count = 0; count <= 2; count++) {
        condition.check()
        yield* settle
        ended.push(String(count))
      }
      expect(ended).toEqual(["0", "b", "1", "a", "c", "2"])
    }))

  it.effect("an interrupted wait is looked at no more, and its end is noted", () =>
    Effect.gen(function*() {
      const condition = new Condition()
      let looks = 0
      let ends = 0
      const fiber = yield* Effect.fork(condition.until(() => ++looks === 0, undefined, () => ends++))
      yield* settle
      yield* Fiber.interrupt(fiber)
      condition.check()
      expect([looks, ends]).toEqual([1, 1])
    }))

  it.effect("a wait with a limit ends when the time is up, and holds no timer after either end", () =>
    Effect.gen(function*() {
      const condition = new Condition()
      const live = new Set<unknown>()
      const real = yield* makeTimers
      const timers = Object.assign(Object.create(real) as typeof real, {
        set: (deadline: Deadline, at: number) => {
          live.add(deadline)
          real.set(deadline, at)
        },
        clear: (deadline: Deadline) => {
          live.delete(deadline)
          real.clear(deadline)
        }
      })
      let isSo = false
      const wait = condition.until(() => isSo, { timers, at: () => 1_000 })
      const first = yield* Effect.fork(wait)
      yield* TestClock.adjust(999)
      expect(first.unsafePoll()).toBeNull()
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(first)).toBe(false)

      const second = yield* Effect.fork(condition.until(() => isSo, { timers, at: () => 5_000 }))
      yield* settle
      isSo = true
      condition.check()
      expect(yield* Fiber.join(second)).toBe(true)
      expect(live.size).toBe(0)
    }))

  it.effect("a deadline that is moved is read again at the next check", () =>
    Effect.gen(function*() {
      const condition = new Condition()
      const timers = yield* makeTimers
      let deadline = 10_000
      const fiber = yield* Effect.fork(condition.until(() => false, { timers, at: () => deadline }))
      yield* settle
      deadline = 100
      condition.check()
      yield* TestClock.adjust(100)
      expect(yield* Fiber.join(fiber)).toBe(false)
    }))
})
