/**
 * The errors of an application by what can be done about them: four groups (`Validation`, `Execution`, `Network`,
 * `Configuration`), each a tagged class around its own tagged error. Catch a group by its `_tag`, look at `error` for
 * the kind. `CleanupError.toPatinoxError` brings a cleanup's failure in here.
 */
import type { Schema } from "effect"
import * as Schemas from "./internal/kernel/Schemas.js"
import { TaggedError } from "./internal/kernel/TaggedError.js"
import * as Text from "./internal/kernel/Text.js"
import type { recoveryStrategies } from "./internal/kernel/Vocabulary.js"

const retryAfter = (millis: number | undefined) => millis === undefined ? "" : `; try again in ${Text.duration(millis)}`

/** A value was given that cannot be used. */
export class InvalidInput extends /* @__PURE__ */ TaggedError("InvalidInput")<{
  readonly field: string
  readonly value: unknown
  /** What would have been right, as in "an integer from 1 to 10". */
  readonly expected: string
  /** What `field` is a name of: `input` unless given. */
  readonly source?: "input" | "option"
}> {
  override get message(): string {
    const got = typeof this.value === "string" ? JSON.stringify(this.value) : Text.unknown(this.value)
    return `Invalid ${this.source ?? "input"} "${this.field}": got ${got}, expected ${this.expected}`
  }
}

/** A limit of our own on how often something may be asked for was met. */
export class RateLimited extends /* @__PURE__ */ TaggedError("RateLimited")<{
  readonly operation: string
  readonly retryAfterMillis?: number
}> {
  override get message(): string {
    return `Rate limit reached for ${this.operation}${retryAfter(this.retryAfterMillis)}`
  }
}

/** A check did not end in time. */
export class ValidationTimeout extends /* @__PURE__ */ TaggedError("ValidationTimeout")<{
  readonly operation: string
  readonly limitMillis: number
}> {
  override get message(): string {
    return `Validation of ${this.operation} timed out after ${Text.duration(this.limitMillis)}`
  }
}

/** A tool ran and failed. */
export class ToolExecutionFailed extends /* @__PURE__ */ TaggedError("ToolExecutionFailed")<{
  readonly tool: string
  readonly reason: string
  readonly cause?: unknown
}> {
  override get message(): string {
    return `Tool ${this.tool} failed: ${this.reason}`
  }
}

/** Something was asked of an agent in a state that does not allow it. */
export class AgentStateMismatch extends /* @__PURE__ */ TaggedError("AgentStateMismatch")<{
  readonly expected: string
  readonly actual: string
}> {
  override get message(): string {
    return `Agent is in state ${this.actual}, expected ${this.expected}`
  }
}

/** A resource could not be had, or could not be given back. */
export class ResourceExhausted extends /* @__PURE__ */ TaggedError("ResourceExhausted")<{
  readonly resource: string
  readonly message: string
  readonly cause?: unknown
}> {}

/** Another party did not answer in time. */
export class NetworkTimeout extends /* @__PURE__ */ TaggedError("Timeout")<{
  readonly endpoint: string
  readonly limitMillis: number
}> {
  override get message(): string {
    return `${this.endpoint} timed out after ${Text.duration(this.limitMillis)}`
  }
}

/** Another party refuses requests for now. */
export class NetworkRateLimited extends /* @__PURE__ */ TaggedError("RateLimited")<{
  readonly endpoint: string
  readonly retryAfterMillis?: number
}> {
  override get message(): string {
    return `${this.endpoint} limits the rate of requests${retryAfter(this.retryAfterMillis)}`
  }
}

/** Another party does not accept who we are. */
export class Unauthorized extends /* @__PURE__ */ TaggedError("Unauthorized")<{
  readonly endpoint: string
  readonly reason?: string
}> {
  override get message(): string {
    return `Not authorized at ${this.endpoint}${this.reason === undefined ? "" : `: ${this.reason}`}`
  }
}

/** Another party is down or unreachable. */
export class ServiceUnavailable extends /* @__PURE__ */ TaggedError("ServiceUnavailable")<{
  readonly endpoint: string
  readonly retryAfterMillis?: number
}> {
  override get message(): string {
    return `${this.endpoint} is unavailable${retryAfter(this.retryAfterMillis)}`
  }
}

/** A file of the configuration is not there. */
export class FileNotFound extends /* @__PURE__ */ TaggedError("FileNotFound")<{ readonly path: string }> {
  override get message(): string {
    return `File not found: ${this.path}`
  }
}

/** A part of the configuration cannot be read. */
export class InvalidFormat extends /* @__PURE__ */ TaggedError("InvalidFormat")<{
  /** The file, variable or key that was read. */
  readonly source: string
  readonly expected: string
}> {
  override get message(): string {
    return `Invalid format of ${this.source}: expected ${this.expected}`
  }
}

/** A part of the configuration that has no default is not set. */
export class MissingRequired extends /* @__PURE__ */ TaggedError("MissingRequired")<{ readonly key: string }> {
  override get message(): string {
    return `Missing required configuration: ${this.key}`
  }
}

/** What was given is wrong, or could not be checked. */
export class Validation extends /* @__PURE__ */ TaggedError("Validation")<{
  readonly error: InvalidInput | RateLimited | ValidationTimeout
}> {
  override get message(): string {
    return this.error.message
  }
  override get cause(): unknown {
    return this.error.cause
  }
}

/** Our own work failed. */
export class Execution extends /* @__PURE__ */ TaggedError("Execution")<{
  readonly error: ToolExecutionFailed | AgentStateMismatch | ResourceExhausted
}> {
  override get message(): string {
    return this.error.message
  }
  override get cause(): unknown {
    return this.error.cause
  }
}

/** Another party failed. */
export class Network extends /* @__PURE__ */ TaggedError("Network")<{
  readonly error: NetworkTimeout | NetworkRateLimited | Unauthorized | ServiceUnavailable
}> {
  override get message(): string {
    return this.error.message
  }
  override get cause(): unknown {
    return this.error.cause
  }
}

/** The application was set up wrong; only a person can help. */
export class Configuration extends /* @__PURE__ */ TaggedError("Configuration")<{
  readonly error: FileNotFound | InvalidFormat | MissingRequired
}> {
  override get message(): string {
    return this.error.message
  }
  override get cause(): unknown {
    return this.error.cause
  }
}

/** Any of the four groups. A group's message and cause are those of the error it holds. */
export type PatinoxError = Validation | Execution | Network | Configuration

/** What to do about an error: as for cleanups, or stop asking another party for a while (`CircuitBreak`). */
export type RecoveryStrategy = (typeof recoveryStrategies)[number] | "CircuitBreak"

const groups = { Validation, Execution, Network, Configuration }

/** Whether a value is one of the four groups. */
export const is = (value: unknown): value is PatinoxError =>
  Object.values(groups).some((group) => value instanceof group)

const strategies: { readonly [Tag in PatinoxError["error"]["_tag"]]?: RecoveryStrategy } = {
  RateLimited: "Retry",
  ValidationTimeout: "Retry",
  Timeout: "Retry",
  ServiceUnavailable: "Retry",
  ToolExecutionFailed: "Fallback",
  ResourceExhausted: "Fallback"
}

/**
 * What to do about an error, by its kind:
 *
 * - `Retry`: `RateLimited` (ours), `ValidationTimeout`, `Timeout` and `ServiceUnavailable`: they pass.
 * - `Fallback`: `ToolExecutionFailed`, `ResourceExhausted`: the same again would fail the same.
 * - `CircuitBreak`: `RateLimited` of the network: more requests make it worse.
 * - `Fail`: `InvalidInput`, `AgentStateMismatch`, `Unauthorized` and all of `Configuration`.
 *
 * ```ts
 * import { PatinoxError } from "@patinox/core"
 *
 * const error = new PatinoxError.NetworkRateLimited({ endpoint: "api.example.com", retryAfterMillis: 1500 })
 * console.log(error.message) // => api.example.com limits the rate of requests; try again in 1.5 s
 * console.log(PatinoxError.recoveryStrategy(new PatinoxError.Network({ error }))) // => CircuitBreak
 * ```
 */
export const recoveryStrategy = (error: PatinoxError): RecoveryStrategy =>
  error._tag === "Network" && error.error._tag === "RateLimited"
    ? "CircuitBreak"
    : strategies[error.error._tag] ?? "Fail"

/**
 * The error of an option out of its range.
 *
 * ```ts
 * import { PatinoxError } from "@patinox/core"
 *
 * const error = PatinoxError.invalidOption("concurrency", 0, "an integer from 1 to 10000")
 * console.log(error.message) // => Invalid option "concurrency": got 0, expected an integer from 1 to 10000
 * ```
 */
export const invalidOption = (option: string, value: unknown, expected: string): Validation =>
  new Validation({ error: new InvalidInput({ field: option, value, expected, source: "option" }) })

/** The JSON form of any of the four: tags, fields and the message. */
export type Encoded = Schemas.PatinoxErrorEncoded

/**
 * A `PatinoxError` as JSON and back. An `InvalidInput`'s value comes back as JSON keeps it (what JSON has no form for
 * as text), a `cause` as `Schema.Defect` keeps it: an error's name and message.
 */
export const schema: Schema.Schema<PatinoxError, Encoded> = /* @__PURE__ */ Schemas.patinoxError({
  // Named one by one: a bundler must assume that a spread has effects, and would keep a schema that is not used.
  Validation,
  Execution,
  Network,
  Configuration,
  InvalidInput,
  RateLimited,
  ValidationTimeout,
  ToolExecutionFailed,
  AgentStateMismatch,
  ResourceExhausted,
  NetworkTimeout,
  NetworkRateLimited,
  Unauthorized,
  ServiceUnavailable,
  FileNotFound,
  InvalidFormat,
  MissingRequired
})
