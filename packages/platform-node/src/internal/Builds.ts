/**
 * The layers that are being built, each with its name as far as it is known, so that a start that hangs can be named.
 * The start is over once the first of the program's layers is there.
 */
import type { Layer } from "effect"
import type { BuildLine } from "./Messages.js"
import * as Seam from "./Seam.js"

interface Build {
  readonly layer: Layer.Layer<any, any, any>
  readonly fiber: Seam.AnyFiber
  readonly since: number
}

/** Who hears of the builds. */
export interface BuildsHost {
  /** The first layer begins to be built. */
  readonly onBegin: () => void
  /** No layer is being built now: perhaps only because the next one has not begun. */
  readonly onPause: () => void
}

export class Builds {
  private readonly running = new Set<Build>()
  /** Whether the last build that ended was one of the program's, and succeeded. */
  private hasBuilt = false
  private isBegun = false
  private isStarted = false

  constructor(private readonly host: BuildsHost) {}

  /** A memo map whose builds are watched; those of loggers come first, and are no start of the program. */
  watch(memoMap: Layer.MemoMap, ofLoggers = false): Layer.MemoMap {
    return Seam.watchBuilds(memoMap, (layer, fiber) => this.begin(layer, fiber, ofLoggers))
  }

  /** Gives what must be called at the end of the build. */
  private begin(layer: Build["layer"], fiber: Seam.AnyFiber, ofLoggers: boolean): (isBuilt: boolean) => void {
    if (this.isStarted) return () => {}
    if (!this.isBegun) {
      this.isBegun = true
      this.host.onBegin()
    }
    const build = { layer, fiber, since: Seam.nowMillis() }
    this.running.add(build)
    return (isBuilt) => {
      this.running.delete(build)
      this.hasBuilt = isBuilt && !ofLoggers
      if (this.running.size === 0 && !this.isStarted) this.host.onPause()
    }
  }

  /** A while after a pause: says whether nothing is being built, so that what comes next is a start of its own. */
  settle(): boolean {
    if (this.running.size > 0) return false
    this.isBegun = false
    this.isStarted ||= this.hasBuilt
    return true
  }

  /** Those that wait for no other layer, each once, the oldest first. */
  lines(): ReadonlyArray<BuildLine> {
    const lines = new Map<string, BuildLine>()
    for (const { fiber, layer, since } of this.running) {
      if (!Seam.isLeaf(layer)) continue
      const name = Seam.nameOf(layer) ?? Seam.spanNameOf(fiber) ?? `a layer without a name (fiber #${fiber.id().id})`
      if (!lines.has(name)) lines.set(name, { name, millis: Seam.nowMillis() - since })
    }
    return [...lines.values()]
  }
}
