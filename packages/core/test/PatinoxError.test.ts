import { assert, describe, it } from "@effect/vitest"
import { Arbitraries as arbitraries } from "@patinox/vitest"
import { Cause, Effect, Equal, Hash, Schema } from "effect"
import * as fc from "fast-check"
import * as PatinoxError from "../src/PatinoxError.js"

const validation = (error: PatinoxError.Validation["error"]) => new PatinoxError.Validation({ error })
const execution = (error: PatinoxError.Execution["error"]) => new PatinoxError.Execution({ error })
const network = (error: PatinoxError.Network["error"]) => new PatinoxError.Network({ error })
const configuration = (error: PatinoxError.Configuration["error"]) => new PatinoxError.Configuration({ error })

const endpoint = "api.example.com"

/** Every kind: its group and tag, its strategy, its message. */
const kinds: ReadonlyArray<readonly [PatinoxError.PatinoxError, string, PatinoxError.RecoveryStrategy, string]> = [
  [
    validation(new PatinoxError.InvalidInput({ field: "age", value: -1, expected: "a positive number" })),
    "Validation/InvalidInput",
    "Fail",
    "Invalid input \"age\": got -1, expected a positive number"
  ],
  [
    validation(new PatinoxError.RateLimited({ operation: "login", retryAfterMillis: 60_000 })),
    "Validation/RateLimited",
    "Retry",
    "Rate limit reached for login; try again in 1 min"
  ],
  [
    validation(new PatinoxError.ValidationTimeout({ operation: "address", limitMillis: 500 })),
    "Validation/ValidationTimeout",
    "Retry",
    "Validation of address timed out after 500 ms"
  ],
  [
    execution(new PatinoxError.ToolExecutionFailed({ tool: "grep", reason: "exit code 2" })),
    "Execution/ToolExecutionFailed",
    "Fallback",
    "Tool grep failed: exit code 2"
  ],
  [
    execution(new PatinoxError.AgentStateMismatch({ expected: "idle", actual: "running" })),
    "Execution/AgentStateMismatch",
    "Fail",
    "Agent is in state running, expected idle"
  ],
  [
    execution(new PatinoxError.ResourceExhausted({ resource: "Pool", message: "no connection is free" })),
    "Execution/ResourceExhausted",
    "Fallback",
    "no connection is free"
  ],
  [
    network(new PatinoxError.NetworkTimeout({ endpoint, limitMillis: 30_000 })),
    "Network/Timeout",
    "Retry",
    "api.example.com timed out after 30 s"
  ],
  [
    network(new PatinoxError.NetworkRateLimited({ endpoint })),
    "Network/RateLimited",
    "CircuitBreak",
    "api.example.com limits the rate of requests"
  ],
  [
    network(new PatinoxError.Unauthorized({ endpoint, reason: "token expired" })),
    "Network/Unauthorized",
    "Fail",
    "Not authorized at api.example.com: token expired"
  ],
  [
    network(new PatinoxError.ServiceUnavailable({ endpoint, retryAfterMillis: 2000 })),
    "Network/ServiceUnavailable",
    "Retry",
    "api.example.com is unavailable; try again in 2 s"
  ],
  [
    configuration(new PatinoxError.FileNotFound({ path: "/etc/app.json" })),
    "Configuration/FileNotFound",
    "Fail",
    "File not found: /etc/app.json"
  ],
  [
    configuration(new PatinoxError.InvalidFormat({ source: "PORT", expected: "an integer" })),
    "Configuration/InvalidFormat",
    "Fail",
    "Invalid format of PORT: expected an integer"
  ],
  [
    configuration(new PatinoxError.MissingRequired({ key: "DATABASE_URL" })),
    "Configuration/MissingRequired",
    "Fail",
    "Missing required configuration: DATABASE_URL"
  ]
]

describe("PatinoxError", () => {
  for (const [error, name, strategy, message] of kinds) {
    it(`${name}: ${strategy}, and its message`, () => {
      assert.strictEqual(`${error._tag}/${error.error._tag}`, name)
      assert.strictEqual(PatinoxError.recoveryStrategy(error), strategy)
      assert.strictEqual(error.message, message)
      assert.strictEqual(String(error), `${error._tag}: ${message}`)
      assert.isTrue(Cause.pretty(Cause.fail(error)).startsWith(`${error._tag}: ${message}`))
    })
  }

  it("a group has the message and the cause of the error it holds", () => {
    const cause = new Error("ENOENT")
    const error = execution(new PatinoxError.ToolExecutionFailed({ tool: "cat", reason: "gone", cause }))
    assert.strictEqual(error.cause, cause)
    assert.include(Cause.pretty(Cause.fail(error), { renderErrorCause: true }), "[cause]: Error: ENOENT")
    assert.strictEqual(kinds[0]![0].cause, undefined)
    fc.assert(fc.property(arbitraries.patinoxError, (error) => {
      assert.strictEqual(error.message, error.error.message)
      assert.strictEqual(error.cause, error.error.cause)
    }))
  })

  it("PatinoxError.is knows the groups and nothing else", () => {
    for (const [error] of kinds) {
      assert.isTrue(PatinoxError.is(error))
      assert.isFalse(PatinoxError.is(error.error))
    }
    for (const value of [undefined, null, {}, { _tag: "Network" }, new Error()]) assert.isFalse(PatinoxError.is(value))
  })

  it("goes through JSON and back, equal, of the same classes", () => {
    fc.assert(fc.property(arbitraries.patinoxError, (error) => {
      const json = JSON.stringify(Schema.encodeSync(PatinoxError.schema)(error))
      const back = Schema.decodeUnknownSync(PatinoxError.schema)(JSON.parse(json))
      assert.isTrue(Equal.equals(back, error), `${json} came back as ${JSON.stringify(back)}`)
      assert.strictEqual(Hash.hash(back), Hash.hash(error))
      assert.strictEqual(back.message, error.message)
      assert.strictEqual(back.error.constructor, error.error.constructor)
    }))
  })

  it("an invalid value goes through as JSON keeps it, and as text where JSON has no form for it", () => {
    const through = (value: unknown) => {
      const error = PatinoxError.invalidOption("x", value, "something else")
      const json = JSON.stringify(Schema.encodeSync(PatinoxError.schema)(error))
      const back = Schema.decodeUnknownSync(PatinoxError.schema)(JSON.parse(json)).error
      return back instanceof PatinoxError.InvalidInput ? back.value : assert.fail()
    }
    fc.assert(fc.property(fc.jsonValue(), (value) => {
      assert.deepStrictEqual(through(value), JSON.parse(JSON.stringify(value)))
    }))
    assert.deepStrictEqual([undefined, 1n, Symbol("s")].map(through), ["undefined", "1", "Symbol(s)"])
    const circular: { self?: unknown } = {}
    circular.self = circular
    assert.isString(through(circular))
    fc.assert(fc.property(fc.anything(), (value) => {
      through(value)
    }))
  })

  it("a cause that is an error keeps its name and message", () => {
    const error = execution(
      new PatinoxError.ToolExecutionFailed({ tool: "cat", reason: "gone", cause: new TypeError("no") })
    )
    const back = Schema.decodeSync(PatinoxError.schema)(Schema.encodeSync(PatinoxError.schema)(error))
    assert.strictEqual(String(back.cause), "TypeError: no")
  })

  it("an optional field given as undefined counts as absent", () => {
    const fields = { endpoint, retryAfterMillis: undefined } as never
    const error = network(new PatinoxError.NetworkRateLimited(fields))
    assert.deepStrictEqual(Schema.encodeSync(PatinoxError.schema)(error) as unknown, {
      _tag: "Network",
      message: error.message,
      error: { _tag: "RateLimited", message: error.message, endpoint }
    })
  })

  it("invalidOption names the option, what was got and what was expected", () => {
    assert.strictEqual(
      PatinoxError.invalidOption("concurrency", 0, "an integer from 1 to 10000").message,
      "Invalid option \"concurrency\": got 0, expected an integer from 1 to 10000"
    )
    assert.strictEqual(
      PatinoxError.invalidOption("close", "later", "\"wait\" or \"background\"").message,
      "Invalid option \"close\": got \"later\", expected \"wait\" or \"background\""
    )
  })

  it.effect("a group is caught by its tag", () =>
    Effect.gen(function*() {
      const program: Effect.Effect<string, PatinoxError.PatinoxError> = kinds[6]![0]
      const caught = yield* program.pipe(Effect.catchTag("Network", (error) => Effect.succeed(error.error._tag)))
      assert.strictEqual(caught, "Timeout")
    }))
})
