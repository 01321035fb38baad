/** A child process that answers each line `{ id, n }` with `{ id, square }`, one after the other. */
import { createInterface } from "node:readline"

for await (const line of createInterface({ input: process.stdin })) {
  const { id, n } = JSON.parse(line)
  await new Promise((resolve) => setTimeout(resolve, 3))
  process.stdout.write(`${JSON.stringify({ id, square: n * n })}\n`)
}
