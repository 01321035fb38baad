/**
 * Runs examples in a process of their own, in which nothing of vitest's is loaded, as a user's program is run. Takes them
 * as JSON on standard input, and writes what is wrong with each, by its place in the list.
 */
import { text } from "node:stream/consumers"
import type { Example } from "./examples.js"
import { run } from "./run.js"

const [, , folder] = process.argv
const examples: ReadonlyArray<Example> = JSON.parse(await text(process.stdin))
const wrong: Array<string | null> = []
console.log = () => {}
for (const example of examples) {
  const problem = await run(example, folder!).then(() => null, (error) => String(error?.stack ?? error))
  wrong.push(problem)
}
process.stdout.write(JSON.stringify(wrong), () => process.exit(0))
