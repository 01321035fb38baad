/** The service as a process, with its clients in others: its answers, and its requests during a shutdown. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { bundle, Process } from "../../process/src/Process.js"
import { Connection } from "../../sqlite/src/Connection.js"

const folder = fileURLToPath(new URL(`../../../.tmp/service-${process.pid}`, import.meta.url))
const script = join(folder, "main.mjs")
const load = fileURLToPath(new URL("../src/load.mjs", import.meta.url))

beforeAll(() => bundle(new URL("../src/main.ts", import.meta.url), script))
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Service {
  readonly process: Process
  readonly url: string
  /** A directory with nothing but the database. */
  readonly data: string
}

const start = async (env: Readonly<Record<string, string>>): Promise<Service> => {
  const data = await mkdtemp(join(tmpdir(), "service-test-"))
  const service = new Process([process.execPath, script], {
    DATABASE: join(data, "orders.sqlite"),
    PORT: "0",
    TOKEN: "letmein",
    ...env
  })
  const [, url] = await service.printed(/Listening on (http:\S+)/)
  return { process: service, url: url!, data }
}

const end = async ({ data, process }: Service): Promise<void> => {
  process.killGroup("SIGKILL")
  await rm(data, { recursive: true })
}

const live = (title: string, env: Readonly<Record<string, string>>, test: (service: Service) => Promise<void>) =>
  it.scopedLive(title, () =>
    Effect.flatMap(
      Effect.acquireRelease(Effect.promise(() => start(env)), (service) => Effect.promise(() => end(service))),
      (service) => Effect.promise(() => test(service))
    ))

const place = ({ url }: Service, order: unknown = { item: "tea", quantity: 2 }) =>
  fetch(`${url}/orders`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(order)
  })

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await setTimeout(20)
}

/** Waits until so many orders are in the database: their handlers are at the payment. */
const placed = ({ url }: Service, count: number) =>
  until(async () => (await fetch(`${url}/orders/${count}`)).status === 200)

const isListening = ({ url }: Service): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1")
    socket.once("connect", () => {
      socket.destroy()
      resolve(true)
    })
    socket.once("error", () => resolve(false))
  })

/** How many orders have which status; the file is whole, and nothing is beside it. */
const ordersOf = async ({ data }: Service): Promise<Readonly<Record<string, number>>> => {
  expect(await readdir(data)).toEqual(["orders.sqlite"])
  const database = new Connection(join(data, "orders.sqlite"), { readOnly: true })
  try {
    expect(database.rows("SELECT json_quote(integrity_check) FROM pragma_integrity_check")).toEqual(["ok"])
    const counts = "SELECT json_array(status, count(*)) FROM orders GROUP BY status"
    return Object.fromEntries(database.rows<[string, number]>(counts))
  } finally {
    database.close()
  }
}

describe("service", { concurrent: true }, () => {
  live(
    "the service answers orders to all clients, and its diagnostics to those with the token",
    {},
    async (service) => {
      const { url } = service
      const get = async (path: string, token?: string) => {
        const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
        const response = await fetch(url + path, { headers })
        return [response.status, await response.text()] as const
      }
      const order = { id: 1, item: "tea", quantity: 2, status: "paid" }
      const response = await place(service)
      expect([response.status, await response.json()]).toEqual([201, order])
      expect((await place(service, { item: "tea", quantity: 0 })).status).toBe(400)
      const [status, content] = await get("/orders/1")
      expect([status, JSON.parse(content)]).toEqual([200, order])
      expect((await get("/orders/2"))[0]).toBe(404)
      expect(await get("/health")).toEqual([200, `{"status":"alive"}`])
      expect(await get("/ready")).toEqual([200, expect.stringContaining(`"name":"database","status":"passing"`)])
      for (const path of ["/metrics", "/resources"]) {
        expect((await get(path))[0]).toBe(401)
        expect((await get(path, "guess"))[0]).toBe(401)
      }
      expect(await get("/metrics", "letmein")).toEqual([200, expect.stringContaining("patinox_")])
      expect(await get("/resources", "letmein")).toEqual([200, expect.stringContaining("service/Database")])
      service.process.kill("SIGINT")
      expect((await service.process.ended).code).toBe(0)
    }
  )

  live("SIGTERM under load: accepted requests are answered, no client is reset or refused", {}, async (service) => {
    const clients = new Process([process.execPath, load, service.url])
    await clients.printed(/300 answered/)
    const from = performance.now()
    service.process.kill("SIGTERM")
    const { code, stderr, stdout } = await service.process.ended
    const millis = performance.now() - from
    expect({ code, stderr, stdout }).toMatchObject({ code: 0, stderr: "" })
    expect(millis).toBeLessThan(25_000)
    expect(stdout).toMatch(/Shut down in .* after SIGTERM: 7 resources in .*: 7 cleaned/)
    expect(await isListening(service)).toBe(false)

    const seen = JSON.parse((await clients.ended).stdout.split("\n").at(-2)!)
    expect(seen).toEqual({
      sent: seen.answered,
      answered: expect.any(Number),
      reset: 0,
      refused: 0,
      // Only the balancer was asked to stop sending, and only once.
      statuses: { 200: expect.any(Number), 201: expect.any(Number), 503: 1 },
      openMillis: expect.any(Number)
    })
    expect(seen.answered).toBeGreaterThan(300)
    expect(seen.openMillis).toBeGreaterThan(0)
    expect(stdout).toContain(`requests: ${seen.sent} accepted, ${seen.sent} answered`)
    expect(await ordersOf(service)).toEqual({ paid: seen.statuses[201] })
  })

  live("SIGTERM while handlers are slow: they finish, with their database", { PAYMENT_LATENCY: "6 seconds" }, async (
    service
  ) => {
    let answered = 0
    const responses = Array.from({ length: 8 }, () => place(service).finally(() => answered++))
    await placed(service, 8)
    service.process.kill("SIGTERM")
    await until(async () => !(await isListening(service)))
    expect(answered).toBe(0)
    for (const { status } of await Promise.all(responses)) expect(status).toBe(201)
    const { code, stdout } = await service.process.ended
    expect({ code, stdout }).toMatchObject({ code: 0 })
    const [, accepted, sent] = /requests: (\d+) accepted, (\d+) answered/.exec(stdout)!
    expect(sent).toBe(accepted)
    expect(await ordersOf(service)).toEqual({ paid: 8 })
  })

  live("SIGTERM while a handler hangs: it is named and abandoned, and the rest is closed", {
    PAYMENT_LATENCY: "1 hour",
    DRAIN_TIMEOUT: "1 second"
  }, async (service) => {
    const response = place(service).then(({ status }) => status, () => "reset")
    await placed(service, 1)
    service.process.kill("SIGTERM")
    const { code, stdout } = await service.process.ended
    expect({ code, stdout }).toMatchObject({ code: 1 })
    expect(await response).toBe("reset")
    expect(stdout).toMatch(/ERROR .* did not finish while draining and are interrupted: POST \/orders \(/)
    expect(stdout).toMatch(/Shut down in .* after SIGTERM, not cleanly:\n/)
    expect(stdout).toMatch(/^\d .* HttpServer +failed .*Still running after they were interrupted: POST \/orders \(/m)
    expect(stdout).toMatch(/^\d .* service\/Database +cleaned /m)
    const [, accepted, sent] = /requests: (\d+) accepted, (\d+) answered/.exec(stdout)!
    expect(Number(accepted) - Number(sent)).toBe(1)
    expect(await isListening(service)).toBe(false)
    expect(await ordersOf(service)).toEqual({ pending: 1 })
  })
})
