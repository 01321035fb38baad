/** The application's own tests, with the test kit: real layers but for the transport, and no test may leave a guard. */
import { describe, expect } from "@effect/vitest"
import { ResourceRegistry } from "@patinox/core"
import { Fault, it, LeakCheck, TestMonitor, TestResource } from "@patinox/vitest"
import { Effect, Fiber, Layer, Scope, TestClock } from "effect"
import { execFile } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { Accounts, InsufficientFunds } from "../src/Accounts.js"
import * as App from "../src/App.js"
import * as Database from "../src/Database.js"
import { type Mail, Transport, TransportError } from "../src/Mailer.js"

const directory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "layered-app-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

/** A mail server that takes everything. */
const collecting = (sent: Array<Mail>) =>
  Layer.succeed(Transport, { send: (mails) => Effect.sync(() => void sent.push(...mails)) })

/** A database whose release behaves as that of a test resource. */
const faulty = (fault: Fault.Fault) =>
  Layer.effect(
    Transport,
    Effect.map(TestResource.make("mail server", { fault }), (resource) => ({
      send: () => Effect.mapError(resource.release(), ({ message }) => new TransportError({ reason: message }))
    }))
  )

const transfer = (amount: number) =>
  Effect.flatMap(Accounts, (accounts) =>
    Effect.gen(function*() {
      yield* accounts.open("Ada", 100)
      yield* accounts.open("Grace", 0)
      yield* accounts.transfer("Ada", "Grace", amount)
    }))

/** What the application has left in its database, read by another one. */
const left = (path: string, sql: string) =>
  Effect.flatMap(Database.Database, ({ rows }) => rows(sql)).pipe(
    Effect.provide(Layer.provide(Database.layer(path), ResourceRegistry.layer))
  )

describe("layered-app", () => {
  it.leakFree("a transfer moves the money, and mails when the application closes", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "bank")
      const sent: Array<Mail> = []
      yield* Effect.andThen(transfer(30), Effect.sync(() => expect(sent).toEqual([]))).pipe(
        Effect.provide(App.layer(path)),
        Effect.provide(Layer.merge(collecting(sent), ResourceRegistry.layer))
      )
      expect(sent).toEqual([{ to: "Grace", text: "30 from Ada" }])
      expect(yield* left(path, "SELECT json_object('owner', owner, 'balance', balance) FROM accounts")).toEqual([
        { owner: "Ada", balance: 70 },
        { owner: "Grace", balance: 30 }
      ])
    }).pipe(Effect.scoped))

  it.leakFree("a transfer of more than there is fails with its own error, and moves nothing", () =>
    Effect.gen(function*() {
      const path = join(yield* directory, "bank")
      const error = yield* Effect.flip(transfer(130)).pipe(
        Effect.provide(App.layer(path)),
        Effect.provide(Layer.merge(collecting([]), ResourceRegistry.layer))
      )
      expect(error).toEqual(new InsufficientFunds({ owner: "Ada", balance: 100 }))
      expect(yield* left(path, "SELECT balance FROM accounts WHERE owner = 'Ada'")).toEqual([100])
    }).pipe(Effect.scoped))

  it.leakFree.each([Fault.failForGood, Fault.die, Fault.throws, Fault.hang])(
    "mail that cannot be sent is kept, whatever the mail server does: %j",
    (fault) =>
      Effect.gen(function*() {
        const path = join(yield* directory, "bank")
        const monitor = yield* TestMonitor.make
        const running = yield* transfer(30).pipe(
          Effect.provide(App.layer(path)),
          Effect.provide(Layer.merge(
            faulty(fault),
            ResourceRegistry.layer.pipe(Layer.provide(monitor.layer))
          )),
          Effect.fork
        )
        yield* monitor.waitForTag("Started")
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.join(running)
        const mailer = yield* monitor.waitForTag("Recovered")
        expect([mailer.typeName, mailer.record.usedFallback]).toEqual(["layered-app/Mailer", true])
        const ended = (yield* monitor.events).flatMap((event) => "record" in event ? [event.typeName] : [])
        expect(ended).toEqual(["layered-app/Mailer", "layered-app/Database"])
        expect(yield* left(path, "SELECT json_array(recipient, text) FROM outbox")).toEqual([["Grace", "30 from Ada"]])
      }).pipe(Effect.scoped)
  )

  const unclosed = Effect.flatMap(
    Scope.make(),
    (scope) => Layer.buildWithScope(Layer.provide(Database.layer(":memory:"), ResourceRegistry.layer), scope)
  )

  it.leakFree.fails("a database that nobody closes fails the test that opened it", () => unclosed)

  it.effect("the failure of a leak test names the database that nobody closed", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(LeakCheck.leakFree(unclosed))
      expect(error.message).toMatch(/^1 guard leaked:\n {2}layered-app\/Database .* is still live/)
    }))

  it.live("layered-app prints its transfers as a process", () =>
    Effect.gen(function*() {
      const main = new URL("../src/main.ts", import.meta.url).pathname
      const args = ["--import", "tsx", "--conditions=source", main]
      const { stdout } = yield* Effect.promise(() => promisify(execFile)(process.execPath, args))
      expect(stdout).toBe("Ada has 70\nto Grace: 30 from Ada\n")
    }))
})
