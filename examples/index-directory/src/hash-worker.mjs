/** A worker thread: answers `{ id, path }` with the size and SHA-256 of the file, until a message stops it. */
// oxlint-disable unicorn/require-post-message-target-origin -- that is for windows; a thread has no origin
import { createHash } from "node:crypto"
import { parentPort, workerData } from "node:worker_threads"
import { chunksOf } from "./regular-file.mjs"

const hashOf = async (path) => {
  const hash = createHash("sha256")
  let size = 0
  for await (const chunk of chunksOf(path)) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, hash: hash.digest("hex") }
}

parentPort.on("message", (message) => {
  if (message === "stop") {
    // At once, whatever is being read: nobody waits for the answer. Deaf for `--fault ignore`.
    if (!workerData.deaf) process.exit()
    return
  }
  const { id, path } = message
  hashOf(path).then(
    (ok) => parentPort.postMessage({ id, ok }),
    ({ code, message }) => parentPort.postMessage({ id, error: { code, message } })
  )
})
