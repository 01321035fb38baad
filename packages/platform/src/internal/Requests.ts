/** The requests whose handlers run, each known by its fiber until that has ended, finalizers included. */
import type { HttpServerRequest } from "@effect/platform"
import { Clock, Effect, Fiber, FiberId } from "effect"
import * as Seam from "./Seam.js"

/** A request whose handler runs. */
export interface RunningRequest {
  readonly method: string
  /** Without query and fragment, and at most 200 characters of it. */
  readonly path: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

const describedAs = ({ method, url }: HttpServerRequest.HttpServerRequest, since: number): RunningRequest => ({
  method,
  path: url.replace(/[?#].*$/s, "").slice(0, 200),
  since
})

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`

/** Names the ones that run longest, as in "GET /report (15.2 s), POST /order (0.4 s) and 3 more". */
export const listed = (requests: ReadonlyArray<RunningRequest>, now: number, shown = 10): string => {
  const longest = [...requests].sort((a, b) => a.since - b.since).slice(0, shown)
  const names = longest.map(({ method, path, since }) => `${method} ${path} (${seconds(Math.max(0, now - since))})`)
  const more = requests.length - longest.length
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "")
}

export class Requests {
  private readonly running = new Map<Seam.CurrentFiber, RunningRequest>()
  private readonly waiting = new Set<() => void>()

  /** The fiber that runs this handles `request`. */
  enter(request: HttpServerRequest.HttpServerRequest): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Seam.withFiber((fiber) => {
        this.running.set(fiber, describedAs(request, now))
        Seam.onEnd(fiber, () => this.leave(fiber))
        return Effect.void
      }))
  }

  private leave(fiber: Seam.CurrentFiber): void {
    this.running.delete(fiber)
    if (this.running.size > 0) return
    for (const wake of this.waiting) wake()
    this.waiting.clear()
  }

  readonly list: Effect.Effect<ReadonlyArray<RunningRequest>> = Effect.sync(() => [...this.running.values()])

  /** Waits until no handler runs. */
  readonly awaitNone: Effect.Effect<void> = Effect.async((resume) => {
    if (this.running.size === 0) return resume(Effect.void)
    const wake = () => resume(Effect.void)
    this.waiting.add(wake)
    return Effect.sync(() => this.waiting.delete(wake))
  })

  /** Interrupts every handler, and does not wait. */
  readonly interruptAll: Effect.Effect<void> = Effect.suspend(() =>
    Effect.forEach([...this.running.keys()], (fiber) => Fiber.interruptAsFork(fiber, FiberId.none), { discard: true })
  )
}
