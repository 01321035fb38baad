/** The content of a file in chunks. Does not wait for the other end of what has become a pipe; refuses all but files. */
import { constants, open } from "node:fs/promises"

/**
 * A chunk is good until the next one is asked for.
 *
 * @param {string} path
 */
export const chunksOf = async function*(path) {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    if (!(await handle.stat()).isFile()) throw new Error("not a regular file")
    const buffer = Buffer.allocUnsafe(65_536)
    for (;;) {
      const { bytesRead } = await handle.read(buffer)
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await handle.close()
  }
}
