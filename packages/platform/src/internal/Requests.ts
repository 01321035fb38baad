/** The requests whose handlers run, each known by its fiber until that has ended, finalizers included. */
import { HttpBody, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Condition, Text } from "@patinox/core/kernel"
import { Clock, Effect, Fiber, FiberId, Stream } from "effect"
import * as Seam from "./Seam.js"

/** A request whose handler runs. */
export interface RunningRequest {
  readonly method: string
  /** Without query and fragment, and at most 200 characters of it. */
  readonly path: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** A request whose response is complete and not sent to the end. */
export interface UnsentRequest {
  readonly method: string
  readonly url: string
  /** As `HttpServerRequest` has it. */
  readonly source: object
  /** For how long it has been under way. */
  readonly ageMillis: number
}

/** A target may be a whole URL (to a proxy, or by a client's mistake), with a user and a password in it. */
const pathOf = (target: string): string => {
  const path = target.replace(/^(?:[a-z][a-z0-9+.-]*:)?\/\/[^/?#]*/i, "").replace(/[?#].*$/s, "")
  return (path === "" ? "/" : path).slice(0, 200)
}

const describedAs = ({ method, url }: Pick<UnsentRequest, "method" | "url">, since: number): RunningRequest => ({
  method,
  path: pathOf(url),
  since
})

/** Names the ones that run longest, as in "GET /report (15.2 s), POST /order (400 ms) and 3 more". */
export const listed = (requests: ReadonlyArray<RunningRequest>, now: number, shown = 10): string => {
  const longest = [...requests].sort((a, b) => a.since - b.since).slice(0, shown)
  const names = longest.map(({ method, path, since }) =>
    `${method} ${path} (${Text.duration(Math.max(0, now - since))})`
  )
  const more = requests.length - longest.length
  return names.join(", ") + (more > 0 ? ` and ${more} more` : "")
}

/** Responses whose clients expect an end at any time, and ask again. */
const endlessTypes = /^\s*(?:text\/event-stream|multipart\/x-mixed-replace)\b/i

const isEndless = ({ body, headers }: HttpServerResponse.HttpServerResponse): boolean =>
  (body._tag === "Stream" || body._tag === "Raw") &&
  endlessTypes.test(body.contentType ?? headers["content-type"] ?? "")

/** The head of a response, and nothing more: its client should ask another server. */
const ended = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setBody(
    response,
    HttpBody.stream(Stream.empty, response.body.contentType ?? response.headers["content-type"])
  )

/** In the place of a body that would end, properly, before it has begun. */
const unavailable = /* @__PURE__ */ HttpServerResponse.empty({ status: 503 })

/** Without the word in `Connection` it is a request as any other. */
const isUpgrade = ({ headers }: HttpServerRequest.HttpServerRequest): boolean =>
  headers["upgrade"]?.toLowerCase() === "websocket" && /\bupgrade\b/i.test(headers["connection"] ?? "")

/** A handler that runs. */
interface Handler {
  readonly source: HttpServerRequest.HttpServerRequest
  readonly request: RunningRequest
  /** It would never end by itself, so that the drain ends it. */
  isEndless: boolean
  /** Its client hears of the end in the words of another protocol. */
  readonly isUpgraded: boolean
  /** The drain has interrupted it: of a stream that it would still give nothing would be sent. */
  isInterrupted: boolean
}

export class Requests {
  private readonly running = new Map<Seam.CurrentFiber, Handler>()
  private readonly condition = new Condition()
  private isDraining = false

  /** The fiber that runs this handles `request`. */
  enter(request: HttpServerRequest.HttpServerRequest): Effect.Effect<void> {
    return Effect.flatMap(Clock.currentTimeMillis, (now) =>
      Seam.withFiber((fiber) => {
        const isUpgraded = isUpgrade(request)
        this.running.set(fiber, {
          source: request,
          request: describedAs(request, now),
          isEndless: false,
          isUpgraded,
          isInterrupted: false
        })
        Seam.onEnd(fiber, () => this.leave(fiber))
        return Effect.void
      }))
  }

  /** The fiber that runs this is about to send `response`. */
  readonly respond = (
    response: HttpServerResponse.HttpServerResponse
  ): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
    isEndless(response)
      ? Seam.withFiber((fiber) => this.markEndless(fiber, response))
      : response.body._tag === "Stream"
      ? Seam.withFiber((fiber) => Effect.succeed(this.running.get(fiber)?.isInterrupted ? unavailable : response))
      : Effect.succeed(response)

  private markEndless(
    fiber: Seam.CurrentFiber,
    response: HttpServerResponse.HttpServerResponse
  ): Effect.Effect<HttpServerResponse.HttpServerResponse> {
    const handler = this.running.get(fiber)
    if (this.isDraining || handler === undefined) return Effect.succeed(this.isDraining ? ended(response) : response)
    handler.isEndless = true
    return Effect.succeed(response)
  }

  /** The fiber that runs this is ended by the drain. */
  readonly endWithDrain: Effect.Effect<void> = Seam.withFiber((fiber) => {
    const handler = this.running.get(fiber)
    if (handler !== undefined) handler.isEndless = true
    return this.isDraining ? interruptLater(fiber) : Effect.void
  })

  private leave(fiber: Seam.CurrentFiber): void {
    this.running.delete(fiber)
    this.condition.check()
  }

  readonly list: Effect.Effect<ReadonlyArray<RunningRequest>> = Effect.sync(() =>
    [...this.running.values()].map(({ request }) => request)
  )

  /** Those that somebody waits for the end of, and is not to get it: of handlers that run, and of others that have ended. */
  readonly listFinite = (others: ReadonlyArray<UnsentRequest>): Effect.Effect<ReadonlyArray<RunningRequest>> =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const handlers = [...this.running.values()]
      const sources = new Set(handlers.map(({ source }) => source.source))
      return [
        ...handlers.filter(({ isEndless, isUpgraded }) => !isEndless && !isUpgraded).map(({ request }) => request),
        ...others.filter(({ source }) => !sources.has(source)).map((other) => describedAs(other, now - other.ageMillis))
      ]
    })

  /** Waits until no handler runs. */
  readonly awaitNone: Effect.Effect<void> = Effect.asVoid(this.condition.until(() => this.running.size === 0))

  /** Interrupts those that are endless, now and as they come, and does not wait; `onEnd` is for each that has begun. */
  drain(onEnd: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<void>): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.isDraining = true
      const endless = [...this.running].filter(([, { isEndless }]) => isEndless)
      return Effect.forEach(
        endless,
        ([fiber, { source }]) => Effect.andThen(onEnd(source), interruptLater(fiber)),
        { discard: true }
      )
    })
  }

  /** Interrupts every handler, and does not wait. */
  readonly interruptAll: Effect.Effect<void> = Effect.suspend(() => {
    for (const handler of this.running.values()) handler.isInterrupted = true
    return interruptAll([...this.running.keys()])
  })
}

const interruptLater = (fiber: Seam.CurrentFiber): Effect.Effect<void> => Fiber.interruptAsFork(fiber, FiberId.none)

const interruptAll = (fibers: ReadonlyArray<Seam.CurrentFiber>): Effect.Effect<void> =>
  Effect.forEach(fibers, interruptLater, { discard: true })
