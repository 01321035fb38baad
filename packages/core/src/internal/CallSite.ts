/**
 * Where in the user's code a guard was made. The engine keeps the frames cheaply and turns them into text only when
 * somebody asks; how many frames is up to `captureStacks`.
 */
const own = import.meta.url.lastIndexOf("/internal/")
/**
 * Without the scheme, which some loaders leave out of a frame. Bundled into one file with its user, this package has no
 * frames that can be told apart.
 */
const ownFolder = own === -1 ? undefined : import.meta.url.slice(import.meta.url.indexOf("//") + 2, own)

/** Frames kept for the name alone: enough to get out of this package. */
const nameFrames = 4
const stackFrames = 16

/** How many open registries capture stacks of all guards, and of one guard in `sampleEvery`. */
const capturing = { all: 0, sampled: 0, count: 0 }
const sampleEvery = 128

export type Capture = "off" | "sampled" | "all"

/** Turns capturing on until the returned function is called. */
export const startCapturing = (capture: Capture): () => void => {
  if (capture === "off") return () => {}
  capturing[capture]++
  return () => {
    capturing[capture]--
  }
}

const wantsStack = (): boolean => capturing.all > 0 || (capturing.sampled > 0 && capturing.count++ % sampleEvery === 0)

const isOwn = (frame: string): boolean =>
  (ownFolder !== undefined && frame.includes(ownFolder)) || frame.includes("/node_modules/effect/")

export class CallSite {
  constructor(private readonly error: Error, private readonly captured: boolean) {}

  private get frames(): ReadonlyArray<string> {
    return (this.error.stack ?? "").split("\n").slice(1).filter((frame) => !isOwn(frame))
  }

  /** `file.ts:12`, or `resource` where the engine has no stacks. */
  get name(): string {
    return this.frames[0]?.match(/([^/\\( ]+:\d+):\d+\)?$/)?.[1] ?? "resource"
  }

  get stack(): string | undefined {
    return this.captured ? this.frames.join("\n") : undefined
  }
}

/**
 * Called while the user's code is on the stack, that is, when the effect is made and not when it runs. Undefined where
 * neither a name nor a stack is wanted.
 */
export const callSite = (isNamed: boolean, isKept = false): CallSite | undefined => {
  const captured = isKept || wantsStack()
  if (isNamed && !captured) return undefined
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = captured ? stackFrames : nameFrames
  const error = new Error()
  Error.stackTraceLimit = limit
  return new CallSite(error, captured)
}
