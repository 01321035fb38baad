/**
 * A child process: reads `{ id, path }` as lines of JSON, answers each with the kind of the file and its lines. Ends when
 * its input does, and so never outlives its parent. A signal to the whole group, as of Ctrl-C, is the parent's to handle.
 */
import { createInterface } from "node:readline"
import { chunksOf } from "./regular-file.mjs"

const newline = 10

const classify = async (path) => {
  let lines = 0
  let isFirst = true
  for await (const chunk of chunksOf(path)) {
    // The sign that git goes by, too.
    if (isFirst && chunk.subarray(0, 8000).includes(0)) return { kind: "binary", lines: 0 }
    isFirst = false
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, at + 1)) lines++
  }
  return { kind: "text", lines }
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => {})
process.stdout.on("error", () => process.exit())

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const input = createInterface({ input: process.stdin })

input.on("line", (line) => {
  const { id, path } = JSON.parse(line)
  classify(path).then(
    (ok) => answer({ id, ok }),
    ({ code, message }) => answer({ id, error: { code, message } })
  )
})

if (process.argv.includes("--deaf")) {
  // For `--fault hang`: stays on when its input ends.
  setInterval(() => {}, 60_000)
} else {
  // Whatever is being read: nobody waits for the answer.
  input.on("close", () => process.exit())
}
