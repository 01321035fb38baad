/**
 * Connections to HTTP servers that are kept for the next request. Each origin has its own pool, so that a silent origin holds
 * up only its own callers. Node's agents keep connections, too, but a caller that waits for one has no deadline and cannot be
 * observed.
 */
import { type PoolError, ResourcePool } from "@patinox/pool"
import { Context, Data, Effect, Layer } from "effect"
import { Agent, request } from "node:http"

export class RequestFailed extends Data.TaggedError("RequestFailed")<{
  readonly url: string
  /** Node's: `ECONNREFUSED`, `ECONNRESET`. */
  readonly code: string | undefined
}> {
  override get message(): string {
    return `${this.url}: ${this.code ?? "the connection is gone"}`
  }
}

/** Each agent has one connection, or none yet; where it is lost, the next request opens another. */
export class Agents extends Context.Tag("http-agents/Agents")<Agents, ResourcePool.KeyedPool<string, Agent>>() {}

export const layer = (settings: Omit<ResourcePool.KeyedOptions<Agent>, "destroy"> = {}) =>
  Layer.scoped(
    Agents,
    ResourcePool.keyed((_origin: string) => Effect.sync(() => new Agent({ keepAlive: true, maxSockets: 1 })), {
      name: "http-agents",
      maxSize: 2,
      acquireTimeout: "5 seconds",
      // A busy origin loses its surplus connections, an unused origin all of them.
      idleTimeout: "30 seconds",
      keyIdleTimeout: "1 minute",
      destroy: (agent) => Effect.sync(() => agent.destroy()),
      ...settings
    })
  )

export interface Answer {
  readonly status: number
  readonly body: string
}

const send = (agent: Agent, url: URL): Effect.Effect<Answer, RequestFailed> =>
  Effect.async((resume) => {
    const failed = ({ code }: NodeJS.ErrnoException) => resume(Effect.fail(new RequestFailed({ url: url.href, code })))
    const sent = request(url, { agent }, (response) => {
      let body = ""
      response.setEncoding("utf8")
      response.on("data", (text: string) => body += text)
      // To the last byte: before it the connection is not free.
      response.on("end", () => resume(Effect.succeed({ status: response.statusCode!, body })))
      response.on("error", failed)
    })
    sent.on("error", failed)
    sent.end()
    return Effect.sync(() => sent.destroy())
  })

/** The deadline of the pool, or of the options, is for getting a connection; how long the answer may take is for the caller to say. */
export const get = (
  url: URL,
  options?: ResourcePool.BorrowOptions
): Effect.Effect<Answer, RequestFailed | PoolError.PoolError<never>, Agents> =>
  Effect.flatMap(Agents, (agents) => agents.use(url.origin, (agent) => send(agent, url), options))
