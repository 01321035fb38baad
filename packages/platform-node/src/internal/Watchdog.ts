/**
 * A thread that ends the process when the main thread cannot: a finalizer that computes without an end, or blocks. It asks
 * the inspector where the main thread is, says so on standard error, and has the main thread exit there and then; what
 * does not even answer that is killed.
 */
import { Worker } from "node:worker_threads"
import { duration } from "./Messages.js"
import * as Seam from "./Seam.js"

/** After the deadline, as the main thread may only be a little late. */
export const graceMillis = 500
/** After that, for the main thread to answer, and then again to exit. */
export const killMillis = 3_000

const hook = "@patinox/platform-node/overdue"

// A text, as it then needs no file: it works from sources, packed, and bundled into one file. It must not need the main thread.
const source = `
const { writeSync } = require("node:fs")
const { workerData } = require("node:worker_threads")
const { at, done, hook, killMillis, limit } = workerData
const isDone = () => Atomics.load(done, 0) === 1
const say = (text) => {
  const line = "The deadline of " + limit + " has passed and the main thread " + text + "\\n"
  for (let tries = 0; tries < 20; tries++) {
    try { return writeSync(2, line) } catch { Atomics.wait(done, 0, 0, 5) }
  }
}

// Kept, as a session that is collected is closed.
let session
let kill
const exitInside = () => {
  const { Session } = require("node:inspector")
  const urls = new Map()
  const frame = ({ functionName, location: { columnNumber, lineNumber, scriptId } }) =>
    (functionName || "(anonymous)") + " (" + urls.get(scriptId) + ":" + (lineNumber + 1) + ":" + (columnNumber + 1) + ")"
  session = new Session()
  session.connectToMainThread()
  session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urls.set(scriptId, url))
  session.once("Debugger.paused", ({ params: { callFrames } }) => {
    if (isDone()) return session.disconnect()
    kill.refresh()
    say("is busy in " + callFrames.slice(0, 4).map(frame).join(", called by ") + ": exits with 1.")
    const expression = "globalThis[Symbol.for(" + JSON.stringify(hook) + ")]()"
    // In the outermost frame, as one further inside may be of a context of its own.
    session.post("Debugger.evaluateOnCallFrame", { callFrameId: callFrames.at(-1).callFrameId, expression })
  })
  session.post("Debugger.enable")
  session.post("Debugger.pause")
}

setTimeout(() => {
  if (isDone()) return
  kill = setTimeout(() => {
    if (isDone()) return
    say("does not answer: is killed.")
    process.kill(process.pid, "SIGKILL")
  }, killMillis)
  try { exitInside() } catch {}
}, Math.max(0, at - Number(process.hrtime.bigint()) / 1e6))
`

export interface Watchdog {
  readonly stop: () => void
}

/**
 * Watches from now on. `exit` is called in the main thread, in the middle of whatever it does, and must not return.
 * Throws where no thread can be started, and tells `onError` where it ends early.
 */
export const start = (
  shutdownTimeout: number,
  exit: () => void,
  onError: (error: unknown) => void
): Watchdog => {
  const done = new Int32Array(new SharedArrayBuffer(4))
  ;(globalThis as any)[Symbol.for(hook)] = exit
  const worker = new Worker(source, {
    eval: true,
    // Nothing of what the application preloads.
    execArgv: [],
    env: {},
    workerData: {
      at: Seam.nowMillis() + shutdownTimeout + graceMillis,
      done,
      hook,
      killMillis,
      limit: duration(shutdownTimeout)
    }
  })
  worker.on("error", onError)
  worker.unref()
  return {
    stop: () => {
      Atomics.store(done, 0, 1)
      void worker.terminate()
    }
  }
}
