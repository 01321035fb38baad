/** What is written for plain Effect and only renamed does the same, or does not compile: no two functions change places. */
import { ResourceGuard, ResourceScope } from "@patinox/core"
import { Context, Effect, type Exit, Layer, Resource, Schedule } from "effect"
import { expect, test } from "tstyche"

interface File {
  readonly log: (line: string) => void
}
class FileTag extends Context.Tag("File")<FileTag, File>() {}
declare const open: Effect.Effect<File>
declare const write: (file: File) => Effect.Effect<void>
declare const read: (file: File) => Effect.Effect<string, "unreadable">
declare const close: (file: File) => Effect.Effect<void>
declare const closeBy: (file: File, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
declare const closeByExit: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
declare const number: Effect.Effect<number>
const options = { typeName: "File", timeout: "5 seconds" } as const

test("acquireUseRelease renamed to use does not compile, whatever its functions give", () => {
  expect(Effect.acquireUseRelease).type.toBeCallableWith(open, write, close)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, write, close)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, read, close)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, write, closeBy)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, () => Effect.void, () => Effect.void)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, write, close, options)
  expect(ResourceGuard.use).type.not.toBeCallableWith(open, close, options, write)
  expect(ResourceGuard.use).type.not.toBeCallableWith(close, open)
})

test("use takes its release first and its use in a second call", () => {
  expect(ResourceGuard.use).type.toBeCallableWith(open, close)
  expect(ResourceGuard.use).type.toBeCallableWith(open, closeBy, options)
  expect(ResourceGuard.use(open, close)).type.toBeCallableWith(read)
  expect(ResourceGuard.use(open, close)).type.not.toBeCallableWith(open)
  expect(ResourceGuard.use(open, close)).type.not.toBeCallableWith((line: string) => Effect.succeed(line))
})

test("make and acquireRelease take what Effect.acquireRelease takes, in its order alone", () => {
  expect(Effect.acquireRelease).type.toBeCallableWith(open, closeBy)
  expect(ResourceGuard.make).type.toBeCallableWith(open, closeBy)
  expect(ResourceGuard.acquireRelease).type.toBeCallableWith(open, closeBy)
  expect(ResourceGuard.make).type.not.toBeCallableWith(close, open)
  expect(ResourceGuard.acquireRelease).type.not.toBeCallableWith(close, open)
  expect(ResourceGuard.make).type.not.toBeCallableWith(open, write, close)
  expect(ResourceGuard.acquireRelease).type.not.toBeCallableWith(open, write, close)
  expect(ResourceGuard.make).type.not.toBeCallableWith(open, options, close)
  expect(ResourceGuard.makeUnscoped).type.not.toBeCallableWith(close, open)
  expect(ResourceGuard.makeUnscoped).type.not.toBeCallableWith(open, write, close)
})

test("the interruptible variants' release takes the resource: one that takes the exit alone does not compile", () => {
  expect(Effect.acquireReleaseInterruptible).type.toBeCallableWith(open, closeByExit)
  expect(ResourceGuard.acquireReleaseInterruptible).type.not.toBeCallableWith(open, closeByExit)
  expect(ResourceGuard.makeInterruptible).type.not.toBeCallableWith(open, closeByExit)
  expect(ResourceGuard.acquireReleaseInterruptible).type.toBeCallableWith(open, closeBy)
})

test("layer takes Tag, acquire and release in that order alone, and never a scoped effect in their place", () => {
  expect(ResourceGuard.layer).type.toBeCallableWith(FileTag, open, close)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(FileTag, close, open)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(open, FileTag, close)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(open, close, FileTag)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(FileTag, open)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(FileTag, open, write, close)
  expect(ResourceGuard.layer).type.not.toBeCallableWith(FileTag, number, close)
  expect(Layer.scoped).type.toBeCallableWith(FileTag, Effect.acquireRelease(open, close))
  expect(ResourceGuard.layer).type.not.toBeCallableWith(FileTag, Effect.acquireRelease(open, close))
})

test("refreshables take acquire and release in that order alone, and never a schedule in the release's place", () => {
  expect(ResourceGuard.refreshable).type.toBeCallableWith(open, close)
  expect(ResourceGuard.refreshable).type.not.toBeCallableWith(close, open)
  expect(ResourceGuard.refreshable).type.not.toBeCallableWith(open, write, close)
  expect(Resource.auto).type.toBeCallableWith(open, Schedule.spaced("1 minutes"))
  expect(ResourceGuard.refreshable).type.not.toBeCallableWith(open, Schedule.spaced("1 minutes"))
  expect(ResourceGuard.refreshable).type.not.toBeCallableWith(open, Schedule.spaced("1 minutes"), close)
})

test("ResourceScope.provide takes the effect and the layer in Effect's order alone", () => {
  expect(ResourceScope.provide).type.toBeCallableWith(number, Layer.succeed(FileTag, { log: () => {} }))
  expect(ResourceScope.provide).type.not.toBeCallableWith(Layer.succeed(FileTag, { log: () => {} }), number)
})
