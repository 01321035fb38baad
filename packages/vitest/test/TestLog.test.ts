import { expect, it } from "@effect/vitest"
import { ResourceGuard } from "@patinox/core"
import { Cause, Effect } from "effect"
import { TestLog, TestRegistry } from "../src/index.js"

it.effect("TestLog keeps the level, the text, the cause and the annotations of each line", () => {
  const log = TestLog.make()
  return Effect.gen(function*() {
    yield* Effect.logInfo("two", "parts")
    yield* Effect.annotateLogs(Effect.logError("failed", Cause.fail("refused")), "id", 7)
    expect(log.lines).toEqual(["INFO two parts", "ERROR failed"])
    expect(log.messages).toEqual(["two parts", "failed"])
    expect(log.entries).toMatchObject([{ cause: Cause.empty, annotations: {} }, {
      cause: Cause.fail("refused"),
      annotations: { id: 7 }
    }])
  }).pipe(Effect.provide(log.layer))
})

it.effect("TestRegistry.scopedWithLog shows an effect the log of its own scope and registry", () =>
  TestRegistry.scopedWithLog((lines) =>
    Effect.gen(function*() {
      const refusing = ResourceGuard.make(Effect.void, () => Effect.fail("refused"), { typeName: "Socket" })
      yield* Effect.scoped(refusing)
      expect(lines).toEqual([expect.stringMatching(/^ERROR .*Socket/)])
    })
  ))

it.effect("TestRegistry.scoped lets a test that fails end, though what it holds waits for the clock", () =>
  Effect.gen(function*() {
    const slow = Effect.acquireRelease(Effect.void, () => Effect.sleep("2 hours"))
    const exit = yield* Effect.exit(TestRegistry.scoped(Effect.andThen(slow, Effect.fail("the test's own failure"))))
    expect(exit).toMatchObject({ _tag: "Failure", cause: Cause.fail("the test's own failure") })
  }))
