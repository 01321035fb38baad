/** A worker thread: answers `{ text, rounds }` with the SHA-256 of the text, taken so often. What is thrown ends the thread. */
// oxlint-disable unicorn/require-post-message-target-origin -- that is for windows; a thread has no origin
import { createHash } from "node:crypto"
import { parentPort } from "node:worker_threads"

parentPort.on("message", ({ rounds, text }) => {
  if (!(rounds >= 1)) throw new RangeError(`rounds must be 1 or more, and not ${rounds}`)
  let digest = text
  for (let round = 0; round < rounds; round++) digest = createHash("sha256").update(digest).digest("hex")
  parentPort.postMessage(digest)
})
