/** The registry's options from the environment, each checked as the option itself is. */
import { Config, Effect, Schema, SchemaIssue } from "effect"
import { Validation } from "../../PatinoxError.js"
import { registryChecks, type RegistryOptions } from "./RegistryOptions.js"

const variable = (option: string): string => `PATINOX_${option.replace(/[A-Z]/g, "_$&").toUpperCase()}`

/** A number where the text is one, as durations, names and numbers are all written as text there. */
const parse = (text: string): unknown => text.trim() === "" || Number.isNaN(Number(text)) ? text : Number(text)

const option = (name: string, check: (option: string, value: unknown) => unknown): Config.Config<unknown> =>
  Config.withDefault(
    Config.mapEffect(Config.String(variable(name)), (text) => {
      const value = parse(text)
      const result = check(name, value)
      return result instanceof Validation
        ? Effect.fail(invalid(variable(name), result.message))
        : Effect.succeed(value)
    }),
    undefined
  )

const invalid = (path: string, message: string): Config.ConfigError =>
  new Config.ConfigError(
    new Schema.SchemaError(new SchemaIssue.Pointer([path], new SchemaIssue.InvalidValue({ message })))
  )

/**
 * Every option but `recovery`, by the names `PATINOX_CONCURRENCY`, `PATINOX_CLEANUP_TIMEOUT`, `PATINOX_SLOW_AFTER`,
 * `PATINOX_SHUTDOWN_TIMEOUT`, `PATINOX_LEAK_THRESHOLD`, `PATINOX_CAPTURE_STACKS` and `PATINOX_DEAD_LETTERS`. Durations
 * are written as `10 seconds`, as a number of milliseconds, or as `Infinity`. What is not set keeps its default.
 */
export const make = (): Config.Config<RegistryOptions> =>
  Config.all(
    Object.fromEntries(Object.entries(registryChecks).map(([name, check]) => [name, option(name, check)]))
  ) as Config.Config<RegistryOptions>
