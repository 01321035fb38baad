/**
 * For each tenant an HTTP client of its own, with its connections and its key, made when the tenant is first asked for and
 * gone when nobody has asked for a while. Tenants come and go by thousands; open connections are for those who are there.
 */
import { type CacheError, ResourceCache } from "@patinox/cache"
import { Context, Data, Effect, Exit } from "effect"
import { Agent, request } from "node:http"

/** What is known of a tenant. */
export interface Tenant {
  readonly url: URL
  readonly key: string
}

export class UnknownTenant extends Data.TaggedError("UnknownTenant")<{ readonly name: string }> {
  override get message(): string {
    return `There is no tenant ${this.name}`
  }
}

/** Where tenants are looked up: a table, or another service. */
export class Directory extends Context.Tag("tenants/Directory")<Directory, {
  readonly find: (name: string) => Effect.Effect<Tenant, UnknownTenant>
}>() {}

export class RequestFailed extends Data.TaggedError("RequestFailed")<{
  readonly url: string
  /** Node's: `ECONNREFUSED`, `ECONNRESET`. */
  readonly code: string | undefined
}> {
  override get message(): string {
    return `${this.url}: ${this.code ?? "the connection is gone"}`
  }
}

export interface Answer {
  readonly status: number
  readonly body: string
}

export class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 4 })

  constructor(private readonly tenant: Tenant) {}

  get(path: string): Effect.Effect<Answer, RequestFailed> {
    return Effect.async((resume) => {
      const { agent, tenant } = this
      const url = new URL(path, tenant.url)
      const failed = ({ code }: NodeJS.ErrnoException) =>
        resume(Effect.fail(new RequestFailed({ url: url.href, code })))
      const sent = request(url, { agent, headers: { authorization: `Bearer ${tenant.key}` } }, (response) => {
        let body = ""
        response.setEncoding("utf8")
        response.on("data", (text: string) => body += text)
        response.on("end", () => resume(Effect.succeed({ status: response.statusCode!, body })))
        response.on("error", failed)
      })
      sent.on("error", failed)
      sent.end()
      return Effect.sync(() => sent.destroy())
    })
  }

  /** Ends its connections, also those on which requests run. */
  readonly close = Effect.sync(() => this.agent.destroy())
}

export class Tenants
  extends Context.Tag("tenants/Tenants")<Tenants, ResourceCache.ResourceCache<string, Client, UnknownTenant>>()
{}

const connect = (name: string) =>
  Effect.map(Effect.flatMap(Directory, ({ find }) => find(name)), (tenant) => new Client(tenant))

export const layer = (settings: ResourceCache.CacheSettings & ResourceCache.ReleaseSettings = {}) =>
  ResourceCache.layer(Tenants, connect, {
    maxEntries: 500,
    timeToIdle: "1 minute",
    // A tenant may move or have its key replaced. Calls for an unknown tenant do not reach the directory each time.
    timeToLive: (_, exit) => Exit.isSuccess(exit) ? "1 hour" : "10 seconds",
    release: (client) => client.close,
    ...settings
  })

/** The client is not closed before the answer is there. If its key is refused, the next request gets a new client. */
export const get = (
  name: string,
  path: string
): Effect.Effect<Answer, RequestFailed | UnknownTenant | CacheError.CacheError, Tenants> =>
  Effect.flatMap(Tenants, (tenants) =>
    Effect.tap(
      tenants.use(name, (client) => client.get(path)),
      ({ status }) => status === 401 ? tenants.invalidate(name) : Effect.void
    ))
