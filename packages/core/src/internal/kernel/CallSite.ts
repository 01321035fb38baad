/**
 * Where in the user's code a guard was made. The engine keeps the frames cheaply and turns them into text only when
 * somebody asks; how many frames is up to `captureStacks`.
 */
import { call } from "./UserFunction.js"

/** Frames kept for the name alone: a native one may come before the user's. */
const nameFrames = 2
const stackFrames = 16
/** `callSite`, and our function that the user has called. */
const ownFrames = 2

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

/** Effect calls functions of the user, and is where none of them is at work. */
const ofEffect = /[\\/]node_modules[\\/]effect[\\/]/

export class CallSite {
  constructor(private readonly trace: { readonly stack?: unknown }, private readonly captured: boolean) {}

  private get frames(): ReadonlyArray<string> {
    // A user may have set how stacks are put into text.
    const stack = call<unknown>(() => this.trace.stack, () => undefined)
    return typeof stack === "string"
      ? stack.split("\n").slice(this.captured ? 1 : 1 + ownFrames).filter((frame) => !ofEffect.test(frame))
      : []
  }

  /** `file.ts:12`, or `resource` where the engine has no stacks. */
  get name(): string {
    for (const frame of this.frames) {
      const place = frame.match(/([^/\\( ]+:\d+):\d+\)?$/)
      if (place !== null) return place[1]!
    }
    return "resource"
  }

  get stack(): string | undefined {
    return this.captured ? this.frames.join("\n") : undefined
  }
}

/**
 * Called while the user's code is on the stack, that is, when the effect is made and not when it runs: directly by
 * `above`, our function that the user has called. The stack begins with who called that, wherever files are and whatever
 * source maps say. Undefined where neither a name nor a stack is wanted, or the engine has no such stacks.
 */
export const callSite: (isNamed: boolean, isKept?: boolean, above?: Function) => CallSite | undefined = (
  isNamed,
  isKept = false,
  above = callSite
) => {
  const captured = isKept || wantsStack()
  if (isNamed && !captured) return undefined
  // Without a closure: there is one such call for each guard.
  const limit = Error.stackTraceLimit
  try {
    Error.stackTraceLimit = captured ? stackFrames : ownFrames + nameFrames
    // For a name alone an error is cheaper than `captureStackTrace`, which looks for `above` in every frame.
    return new CallSite(captured ? captureAbove(above) : new Error(), captured)
  } catch {
    return undefined
  } finally {
    // Also where there was no room left on the stack; not where it could not be set.
    if (Error.stackTraceLimit !== limit) Error.stackTraceLimit = limit
  }
}

const captureAbove = (above: Function): { readonly stack?: unknown } => {
  const trace = {}
  Error.captureStackTrace(trace, above)
  return trace
}
