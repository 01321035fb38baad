import { beforeAll, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { compile, expectCode, makeFolder, start } from "./process.js"
import { connect, request } from "./rawHttp.js"

const folder = makeFolder()
let script: string
let drainingScript: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/http.ts", import.meta.url), folder)
  drainingScript = await compile(new URL("fixtures/draining.ts", import.meta.url), folder)
})

it.live("a process that is told to end answers what is in flight, says that it is not ready, and ends with 0", () =>
  Effect.gen(function*() {
    const server = start(script)
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

const draining = async (name: string) => {
  const started = start(drainingScript, [name])
  await started.printed("ready")
  started.kill("SIGTERM")
  return started.ended
}

it("a server that waits for an idle client to go warns of nothing", async () => {
  const ended = await draining("idle")
  expectCode(ended, 0)
  expect(ended.stdout + ended.stderr).not.toMatch(/WARN|ERROR|slow/)
  expect(ended.stdout).toMatch(/INFO .*Still shutting down after 2(\.\d)? s of 25 s: HttpServer for/)
  expect(ended.millis).toBeGreaterThan(2_400)
})

it("a request that is cut off by the drain makes the exit code of the process 1", async () => {
  const ended = await draining("cutting off")
  expectCode(ended, 1)
  expect(ended.stdout).toMatch(/ERROR .*HTTP requests did not finish while draining and are interrupted: GET \/ /)
})
