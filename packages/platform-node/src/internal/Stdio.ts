/** The last words of a process: written at once, and waited for until a reader has taken them. */
import { closeSync, writeSync } from "node:fs"
import { isatty } from "node:tty"

const pause = /* @__PURE__ */ new Int32Array(/* @__PURE__ */ new SharedArrayBuffer(4))

/** Writes to standard error in this turn; gives up where nobody reads or it is closed. */
export const writeNow = (text: string): void => {
  let rest = Buffer.from(`${text}\n`)
  for (let tries = 0; rest.length > 0 && tries < 20;) {
    try {
      rest = rest.subarray(writeSync(2, rest))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") return
      tries++
      Atomics.wait(pause, 0, 0, 5)
    }
  }
}

const streams = (): ReadonlyArray<NodeJS.WriteStream> => [process.stdout, process.stderr]

const ignore = () => {}

/** Where the reader or the terminal is gone, what is written is lost, and that is no error. */
export const tolerateLoss = (): void => {
  for (const stream of streams()) if (!stream.listeners("error").includes(ignore)) stream.on("error", ignore)
}

/** Whether standard output could not be written. */
export const isLost = (): boolean => process.stdout.errored !== null

const terminals = /* @__PURE__ */ [0, 1, 2].filter((fd) => isatty(fd))

const close = (fd: number): void => {
  try {
    closeSync(fd)
  } catch {
    // It was closed already.
  }
}

/** Closes standard error: from now on nothing is written to it, whoever tries. */
export const closeErrors = (): void => close(2)

/** At its end Node puts a terminal into the mode in which it was, and would abort where that is gone. */
const closeLostTerminals = (): void => terminals.filter((fd) => !isatty(fd)).forEach(close)

/** Ends the process now, its listeners of `exit` apart. */
export const exit = (code: number): never => {
  process.once("exit", closeLostTerminals)
  process.exit(code)
}

/** What keeps the event loop busy but for standard output and error, by type. */
export const activeResources = (): ReadonlyArray<string> => {
  const types = process.getActiveResourcesInfo()
  for (const stream of streams()) {
    const handle = (stream as { readonly _handle?: object })._handle
    const index = handle === undefined ? -1 : types.indexOf(`${handle.constructor.name}Wrap`)
    if (index !== -1) types.splice(index, 1)
  }
  return types
}

/** Bytes that have been written and not been taken. */
export const pending = (): number => streams().reduce((bytes, stream) => bytes + stream.writableLength, 0)

/** Calls back once nothing is pending: a pipe takes 64 KiB, and the end of the process would cut off the rest. */
export const flush = (then: () => void): void => {
  let left = 1
  const taken = () => {
    if (--left === 0) then()
  }
  for (const stream of streams()) {
    if (stream.destroyed || stream.writableLength === 0) continue
    left++
    stream.write("", taken)
  }
  taken()
}

/** While listeners of `exit` are called: the line of the stack that has called `process.exit`, as far as there is one. */
export const callerOfExit = (): string | undefined => {
  // An application may have another form of stacks.
  const stack: unknown = new Error().stack
  const lines = typeof stack === "string" ? stack.split("\n") : []
  const exit = lines.findIndex((line) => /\bprocess\.(?:reallyE|e)xit\b/.test(line))
  return exit === -1 ? undefined : lines[exit + 1]?.trim()
}
