import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import { start } from "./process.js"
import { connect, request } from "./rawHttp.js"

// Not as one file, as `ws` does not go into a module.
const script = fileURLToPath(new URL("fixtures/http.ts", import.meta.url))
const node = ["--import", "tsx", "--conditions=source"]

it.live("a process that is told to end answers what is in flight, says that it is not ready, and ends with 0", () =>
  Effect.gen(function*() {
    const server = start(script, [], { node })
    let said = ""
    server.process.stdout!.on("data", (text) => said += String(text))
    yield* Effect.promise(() => server.printed("."))
    const port = Number(/listening (\d+)\./.exec(said)![1])
    const [slow, asking, going] = yield* Effect.all([connect(port), connect(port), connect(port)])
    slow.send(request("/slow"))
    asking.send(request("/ready"))
    expect(yield* asking.until("}")).toMatch(/200 OK.*keep-alive.*"status":"ready"/s)
    yield* Effect.promise(() => server.printed("handling"))
    server.kill("SIGTERM")
    yield* Effect.promise(() => server.printed("SIGTERM"))
    asking.send(request("/ready"))
    expect((yield* asking.closed).split("HTTP/1.1")[2]).toMatch(/503 .*Connection: close\r\n.*"status":"draining"/s)
    going.send(request("/go"))
    expect(yield* slow.closed).toMatch(/200 OK.*Connection: close\r\n.*pool is open$/s)
    const { code, stdout } = yield* Effect.promise(() => server.ended)
    expect(code).toBe(0)
    expect(stdout).toMatch(/pool closed\n.*: 5 cleaned\n$/)
  }))
