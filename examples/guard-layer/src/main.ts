/** `npx tsx --conditions=source examples/guard-layer/src/main.ts`: the same program before and after, on a full disk. */
import { Effect, Exit } from "effect"
import * as after from "./after.js"
import * as before from "./before.js"

const work = Effect.fail("the order is not valid")

/** The error of the program is caught, as any program would; that of the log is not its business. */
const show = <E>(name: string, program: Effect.Effect<unknown, E>) =>
  Effect.runPromiseExit(Effect.catchAll(program, (error) => Effect.succeed(error))).then((exit) =>
    console.log(`${name}: ${
      Exit.match(exit, {
        onSuccess: (error) => `the program's own error is caught: ${error}`,
        onFailure: () => "the program's own error can no longer be caught"
      })
    }`)
  )

const path = process.argv[2] ?? "/dev/full"
await show("before", before.program(path, work))
await show("after", after.program(path, work))
