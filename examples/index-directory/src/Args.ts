/** The command line as data: what to do, or what is wrong with it. Pure; paths are resolved against where the user is. */
import { resolve } from "node:path"
import { parseArgs } from "node:util"

/** The ways in which one of the application's resources can misbehave while it is cleaned up. */
const faults = ["hang", "fail", "die", "ignore"] as const
export type Fault = (typeof faults)[number]

/** What to index, and where the index goes. */
export interface Settings {
  readonly directory: string
  readonly target: string
  readonly fault: Fault | undefined
  readonly serve: boolean
}

/** What stands in for an option that is not given. */
export interface Surroundings {
  readonly cwd: string
  readonly directory: string
  readonly target: string
}

export type Command =
  | { readonly _tag: "Run"; readonly settings: Settings }
  | { readonly _tag: "Help"; readonly text: string }
  | { readonly _tag: "Wrong"; readonly message: string }

const help = ({ directory, target }: Surroundings) =>
  `Usage: npm start [-- [directory] [options]]

Indexes every file of a directory (size, SHA-256, kind, lines) into an SQLite file, serves it while it is built,
then shuts down and prints the outcome of each resource. Skips node_modules and .git.

  directory        what to index (default: ${directory})
  --out <file>     where the index goes; replaced only by a complete one (default: ${target})
  --serve          goes on serving the index until SIGINT (Ctrl-C), SIGTERM or SIGHUP
  --fault <kind>   a resource misbehaves in its cleanup, and is recovered:
                     hang     the child process never ends
                     fail     closing the index fails with a typed error, some times
                     die      closing the server is a defect
                     ignore   stopping the workers ignores interruption
  --help           this text

Exit codes: 0 the index is complete and everything was cleaned up; 1 it is not; 2 wrong usage; 128 + its number where
a second signal ended it at once`

const isFault = (value: string): value is Fault => faults.some((fault) => fault === value)

const wrong = (message: string): Command => ({ _tag: "Wrong", message })

export const parse = (argv: ReadonlyArray<string>, surroundings: Surroundings): Command => {
  let parsed
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        fault: { type: "string" },
        help: { type: "boolean" },
        out: { type: "string" },
        serve: { type: "boolean" }
      }
    })
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error))
  }
  const { positionals, values: { fault, help: wantsHelp, out, serve } } = parsed
  if (wantsHelp === true) return { _tag: "Help", text: help(surroundings) }
  if (positionals.length > 1) return wrong(`One directory can be indexed, not ${positionals.length}`)
  if (fault !== undefined && !isFault(fault)) return wrong(`--fault ${fault}: expected one of ${faults.join(", ")}`)
  if (out === "" || positionals[0] === "") return wrong("A path must not be empty")
  return {
    _tag: "Run",
    settings: {
      directory: resolve(surroundings.cwd, positionals[0] ?? surroundings.directory),
      target: resolve(surroundings.cwd, out ?? surroundings.target),
      fault,
      serve: serve === true
    }
  }
}
