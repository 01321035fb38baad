/** Shows `Schemas`. */
import { assert, describe, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Cause, Data, Effect, Equal, Hash, Option, Schema } from "effect"
import * as fc from "fast-check"
import { inspect } from "node:util"
import * as CleanupError from "../src/CleanupError.js"
import * as PatinoxError from "../src/PatinoxError.js"
import * as ResourceId from "../src/ResourceId.js"

const id = ResourceId.ResourceId("00000000-0000-4000-8000-000000000001")
const of = { id, typeName: "Database" }
const timeout = (stopped: boolean, attempts = 1) =>
  new CleanupError.CleanupTimeout({ ...of, limitMillis: 10_000, stopped, attempts })
const failed = <E>(cause: Cause.Cause<E>) => new CleanupError.CleanupFailed({ ...of, cause, attempts: 1 })
const gone = new CleanupError.AlreadyCleanedUp(of)
const draining = new CleanupError.RegistryShuttingDown({ typeName: "Database" })

class CloseError extends Data.TaggedError("CloseError")<{ readonly code: number }> {}

const throughJson = <E, I>(schema: Schema.Schema<E, I>, error: CleanupError.CleanupError<E>) =>
  Schema.decodeUnknownSync(CleanupError.schema(schema))(
    JSON.parse(JSON.stringify(Schema.encodeSync(CleanupError.schema(schema))(error)))
  )

describe("CleanupError: messages", () => {
  it("the timeout's message says \"timed out\", which resource, how long and how often", () => {
    assert.strictEqual(
      timeout(true, 3).message,
      `Cleanup of Database (${id}) timed out after 10 s and 3 attempts; it was stopped`
    )
  })

  it("a timeout that did not stop says that it was abandoned and may still be running", () => {
    assert.strictEqual(
      timeout(false).message,
      `Cleanup of Database (${id}) timed out after 10 s and 1 attempt; `
        + "it did not stop, was abandoned and may still be running"
    )
  })

  it("a failure's message has the typed error, the defect or the interruption", () => {
    const prefix = `Cleanup of Database (${id}) failed after 1 attempt: `
    assert.strictEqual(failed(Cause.fail("reset")).message, prefix + "reset")
    assert.strictEqual(failed(Cause.fail(new Error("reset"))).message, prefix + "Error: reset")
    assert.strictEqual(failed(Cause.fail(new CloseError({ code: 3 }))).message, prefix + "CloseError")
    assert.strictEqual(failed(Cause.fail({ code: 3 })).message, prefix + "{\"code\":3}")
    assert.strictEqual(failed(Cause.die(new TypeError("x is undefined"))).message, prefix + "TypeError: x is undefined")
    assert.include(failed(Cause.empty).message, prefix + "InterruptedException")
  })

  it("the others say what to do", () => {
    assert.strictEqual(
      gone.message,
      `Database (${id}) has already been cleaned up; acquire it anew to use it`
    )
    assert.strictEqual(
      draining.message,
      "The resource registry is shutting down and no longer accepts Database"
    )
    assert.strictEqual(
      new CleanupError.RegistryShuttingDown(of).message,
      `The resource registry is shutting down and no longer accepts Database (${id})`
    )
    const unknown = (reason: "unknown" | "cleaned up") =>
      new CleanupError.UnknownDependency({ typeName: "Cache", dependency: "app/Db", reason }).message
    assert.strictEqual(unknown("unknown"), "Cache depends on app/Db, which no guard of this registry has")
    assert.strictEqual(unknown("cleaned up"), "Cache depends on app/Db, which has already been cleaned up")
  })

  it("a CleanupError's message is shown by toString, JSON, inspection and Cause.pretty", () => {
    fc.assert(fc.property(arbitraries.cleanupError, (error) => {
      assert.strictEqual(String(error), `${error._tag}: ${error.message}`)
      assert.strictEqual(JSON.parse(JSON.stringify(error)).message, error.message)
      assert.isTrue(Cause.pretty(Cause.fail(error)).startsWith(`${error._tag}: ${error.message}`))
      assert.isTrue(inspect(error).startsWith(`${error._tag}: ${error.message}`))
    }))
  })
})

describe("CleanupError: the typed error and the cause", () => {
  it("error is the typed failure, none for a defect or an interruption", () => {
    const typed: Option.Option<CloseError> = failed(Cause.fail(new CloseError({ code: 3 }))).error
    assert.deepStrictEqual(Option.map(typed, (error) => error.code), Option.some(3))
    assert.deepStrictEqual(failed(Cause.die("x")).error, Option.none())
    assert.deepStrictEqual(failed(Cause.empty).error, Option.none())
    assert.deepStrictEqual(failed(Cause.sequential(Cause.die("x"), Cause.fail("y"))).error, Option.some("y"))
  })

  it("a CleanupError is covariant in its error", () => {
    const wide: CleanupError.CleanupError<CloseError | string> = failed(Cause.fail("x"))
    assert.strictEqual(wide._tag, "CleanupFailed")
  })

  it.effect("a CleanupError is caught by tag", () =>
    Effect.gen(function*() {
      const error = timeout(true) as CleanupError.CleanupError<CloseError>
      const caught = yield* Effect.fail(error).pipe(Effect.catchTags({
        CleanupTimeout: (caught) => Effect.succeed(caught.limitMillis),
        CleanupFailed: () => Effect.succeed(0),
        AlreadyCleanedUp: () => Effect.succeed(0),
        RegistryShuttingDown: () => Effect.succeed(0)
      }))
      assert.strictEqual(caught, 10_000)
    }))
})

describe("CleanupError: equality", () => {
  it("errors of equal fields are equal and hash the same", () => {
    fc.assert(fc.property(arbitraries.cleanupError, (error) => {
      const copy = throughJson(Schema.String, error)
      assert.isTrue(Equal.equals(copy, error))
      assert.strictEqual(Hash.hash(copy), Hash.hash(error))
    }))
  })

  it("any field that differs, the cause included, makes them unequal", () => {
    assert.isTrue(Equal.equals(failed(Cause.fail("a")), failed(Cause.fail("a"))))
    assert.isFalse(Equal.equals(failed(Cause.fail("a")), failed(Cause.fail("b"))))
    assert.isFalse(Equal.equals(failed(Cause.fail("a")), failed(Cause.die("a"))))
    assert.isFalse(Equal.equals(timeout(true), timeout(false)))
    assert.isFalse(Equal.equals(timeout(true, 1), timeout(true, 2)))
    assert.isFalse(Equal.equals(gone, new CleanupError.RegistryShuttingDown(of)))
  })
})

describe("CleanupError: recovery", () => {
  it("recovery strategy of each error", () => {
    assert.strictEqual(CleanupError.recoveryStrategy(timeout(true)), "Retry")
    assert.strictEqual(CleanupError.recoveryStrategy(failed(Cause.fail("x"))), "Fallback")
    assert.strictEqual(CleanupError.recoveryStrategy(gone), "Fail")
    assert.strictEqual(CleanupError.recoveryStrategy(draining), "Fail")
  })

  it("CleanupError.is knows its four and nothing else", () => {
    fc.assert(fc.property(arbitraries.cleanupError, (error) => {
      assert.isTrue(CleanupError.is(error))
      assert.isFalse(CleanupError.is({ ...error }))
    }))
    const unknown = new CleanupError.UnknownDependency({ typeName: "A", dependency: "B", reason: "unknown" })
    for (const value of [undefined, null, "CleanupTimeout", {}, new Error(), unknown]) {
      assert.isFalse(CleanupError.is(value))
    }
  })
})

describe("CleanupError: conversion", () => {
  it("conversion keeps the message, and the error as cause", () => {
    fc.assert(fc.property(arbitraries.cleanupError, (error) => {
      const converted = CleanupError.toPatinoxError(error)
      assert.strictEqual(converted._tag, "Execution")
      assert.strictEqual(converted.error._tag, "ResourceExhausted")
      assert.strictEqual(converted.message, error.message)
      assert.strictEqual(converted.error.message, error.message)
      assert.strictEqual(converted.cause, error)
      assert.deepInclude(converted.error, { resource: error.typeName, cause: error })
      assert.isTrue(PatinoxError.is(converted))
      assert.isTrue(Equal.equals(converted, CleanupError.toPatinoxError(error)))
    }))
  })
})

describe("CleanupError: schema", () => {
  it("all four go through JSON and back", () => {
    fc.assert(fc.property(arbitraries.cleanupError, (error) => {
      const back = throughJson(Schema.String, error)
      assert.isTrue(Equal.equals(back, error))
      assert.strictEqual(back.message, error.message)
      assert.strictEqual(back.constructor, error.constructor)
    }))
  })

  it("the typed error keeps its class by its own schema", () => {
    class Typed extends Schema.TaggedError<Typed>()("Typed", { at: Schema.Date }) {}
    const error = failed(Cause.fail(new Typed({ at: new Date(0) })))
    const back = throughJson(Typed, error)
    assert.isTrue(back._tag === "CleanupFailed" && Option.getOrThrow(back.error) instanceof Typed)
    assert.deepInclude(Schema.encodeSync(CleanupError.schema(Typed))(error), {
      cause: { _tag: "Fail", error: { _tag: "Typed", at: "1970-01-01T00:00:00.000Z" } }
    })
  })

  it("a defect keeps its name and message", () => {
    const error = failed(Cause.die(new TypeError("x is undefined")))
    assert.strictEqual(throughJson(Schema.Never, error).message, error.message)
  })

  it("the JSON has tag and message for readers that know no schema; decoding does not ask for the message", () => {
    const encoded = Schema.encodeSync(CleanupError.schema(Schema.Never))(gone)
    assert.deepStrictEqual(encoded as unknown, { _tag: "AlreadyCleanedUp", message: gone.message, ...of })
    const { message: _, ...rest } = encoded
    assert.isTrue(Equal.equals(Schema.decodeUnknownSync(CleanupError.schema(Schema.Never))(rest), gone))
  })

  it("refuses another tag and a bad id", () => {
    const decode = Schema.decodeUnknownOption(CleanupError.schema(Schema.Never))
    assert.isTrue(Option.isNone(decode({ _tag: "CleanedUp", ...of })))
    assert.isTrue(Option.isNone(decode({ _tag: "AlreadyCleanedUp", ...of, id: "1" })))
  })
})
