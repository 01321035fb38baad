/** Runs the main program of an example as a process, for the tests of that example. */
import { Effect } from "effect"
import { type Ended, Process } from "./Process.js"

/** Runs `../src/main.ts` as seen from the test, to its end; what is left of it when the scope closes is killed. */
export const runMain = (test: string): Effect.Effect<Ended> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const main = new URL("../src/main.ts", test).pathname
      return new Process([process.execPath, "--import", "tsx", "--conditions=source", main])
    }),
    ({ ended }) => Effect.promise(() => ended),
    (main) => Effect.sync(() => main.killGroup("SIGKILL"))
  )
