/** The registry's options from the environment, each checked as the option itself is. */
import { Config, ConfigError, Either } from "effect"
import { Validation } from "../PatinoxError.js"
import { registryChecks, type RegistryOptions } from "./Options.js"

const checked = <A>(
  config: Config.Config<A>,
  check: (value: unknown) => unknown
): Config.Config<A> =>
  Config.mapOrFail(config, (value) => {
    const result = check(value)
    return result instanceof Validation ? Either.left(ConfigError.InvalidData([], result.message)) : Either.right(value)
  })

/**
 * Every option but `recovery`, by the names `PATINOX_CONCURRENCY`, `PATINOX_CLEANUP_TIMEOUT`, `PATINOX_SLOW_AFTER`,
 * `PATINOX_SHUTDOWN_TIMEOUT`, `PATINOX_LEAK_THRESHOLD`, `PATINOX_CAPTURE_STACKS` and `PATINOX_DEAD_LETTERS`. Durations
 * are written as `10 seconds`. What is not set keeps its default.
 */
export const config: Config.Config<RegistryOptions> = Config.map(
  Config.all({
    concurrency: Config.option(checked(Config.integer("PATINOX_CONCURRENCY"), registryChecks.concurrency)),
    cleanupTimeout: Config.option(checked(Config.duration("PATINOX_CLEANUP_TIMEOUT"), registryChecks.cleanupTimeout)),
    slowAfter: Config.option(checked(Config.duration("PATINOX_SLOW_AFTER"), registryChecks.slowAfter)),
    shutdownTimeout: Config.option(
      checked(Config.duration("PATINOX_SHUTDOWN_TIMEOUT"), registryChecks.shutdownTimeout)
    ),
    leakThreshold: Config.option(checked(Config.string("PATINOX_LEAK_THRESHOLD"), registryChecks.leakThreshold)),
    captureStacks: Config.option(checked(Config.string("PATINOX_CAPTURE_STACKS"), registryChecks.captureStacks)),
    deadLetters: Config.option(checked(Config.integer("PATINOX_DEAD_LETTERS"), registryChecks.deadLetters))
  }),
  (options) =>
    Object.fromEntries(
      Object.entries(options).flatMap(([name, value]) => value._tag === "Some" ? [[name, value.value]] : [])
    ) as RegistryOptions
)
