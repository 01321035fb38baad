/**
 * Why a process ends, who may ask for it, what its finalizers know of that, and what others do in the middle of it.
 * Shows `Builds`.
 */
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, makeFolder, start, type StartOptions } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/reasons.ts", import.meta.url), folder)
})

const run = (name: string, options: object = {}) => start(script, [name, options]).ended

const signalled = async (name: string, options: object = {}, signal: NodeJS.Signals = "SIGTERM") => {
  const started = start(script, [name, options])
  await started.printed("ready")
  started.kill(signal)
  return started.ended
}

const thrice = (reason: object) => `before: undefined\n${`because of ${JSON.stringify(reason)}\n`.repeat(3)}`
/** What the program itself has printed. */
const own = (text: string) => text.match(/^(?:before|because).*\n/gm)?.join("")

describe.concurrent("finalizers can read the reason", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    it(`a signal: ${signal}`, async ({ expect }) => {
      const ended = await signalled("asking", {}, signal)
      expectCode(ended, 0)
      expect(own(ended.stdout)).toBe(thrice({ _tag: "Signal", signal }))
    })
  }

  const reasons = {
    throwing: [1, { _tag: "Uncaught", event: "uncaughtException", error: "thrown" }],
    ending: [0, { _tag: "Ended", exit: "Success" }],
    failing: [1, { _tag: "Ended", exit: "Failure" }],
    request: [0, { _tag: "Request", message: "the batch is done" }],
    "request by the service": [0, { _tag: "Request" }],
    "request from a callback": [0, { _tag: "Request" }]
  } as const
  for (const [name, [code, reason]] of Object.entries(reasons)) {
    it(`finalizers can read the reason of every kind: ${name}`, async ({ expect }) => {
      const ended = await run(name)
      expectCode(ended, code)
      expect(own(ended.stdout)).toBe(thrice(reason))
    })
  }
})

describe.concurrent("a shutdown that is asked for from inside", () => {
  it("a shutdown that is asked for from inside is told with its words, waits for the readiness as a signal does, and ends in 0", async ({ expect }) => {
    const ended = await run("request", { readinessDelay: 300 })
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/a request \(the batch is done\): shutting down, within 25 s; not ready from now on/)
    expect(ended.stdout).toMatch(/Shut down in .* after a request \(the batch is done\): /)
  })

  it("a shutdown that is asked for from inside may be the first thing that a program does", async () => {
    expectCode(await run("request at the first step"), 0)
  })

  it("ends the process whatever it has left open", async ({ expect }) => {
    const ended = await run("request with something open", { shutdownTimeout: "20 seconds" })
    expectCode(ended, 0)
    expect(ended.millis).toBeLessThan(10_000)
  })

  it("a shutdown that is asked for from inside with something that has no text begins the shutdown all the same", async ({ expect }) => {
    const ended = await run("request with no words")
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/a request \(.*\): shutting down, within 25 s/)
  })

  it("a shutdown that is asked for from inside is nothing where no program runs", async ({ expect }) => {
    const ended = await run("request of nobody")
    expectCode(ended, 0)
    expect(ended.stdout).toBe("nothing runs\n")
  })
})

describe.concurrent("the end of the channel to the parent", () => {
  const withChannel: StartOptions = { stdio: ["ignore", "pipe", "pipe", "ipc"] }

  it("the end of the channel to the parent is as good as a signal", async ({ expect }) => {
    const started = start(script, ["asking", {}], withChannel)
    await started.printed("ready")
    started.process.disconnect()
    const ended = await started.ended
    expectCode(ended, 0)
    expect(own(ended.stdout)).toBe(thrice({ _tag: "Signal", signal: "disconnect" }))
  })

  it("the end of the channel to the parent with a signal before or after it is no second signal", async ({ expect }) => {
    for (const isFirst of [true, false]) {
      const started = start(script, ["asking", {}], withChannel)
      await started.printed("ready")
      if (isFirst) started.process.disconnect()
      started.kill("SIGTERM")
      if (!isFirst) started.process.disconnect()
      const ended = await started.ended
      expectCode(ended, 0)
      expect(ended.stderr).toBe("")
    }
  })

  it("the end of the channel to the parent is nothing where it is not among the signals", async ({ expect }) => {
    const started = start(script, ["asking", { signals: ["SIGTERM"] }], withChannel)
    await started.printed("ready")
    started.process.disconnect()
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(own(ended.stdout)).toBe(thrice({ _tag: "Signal", signal: "SIGTERM" }))
  })
})

describe.concurrent("a rejection that nobody handles", () => {
  it("a rejection that nobody handles shuts down by default", async ({ expect }) => {
    const ended = await run("rejecting")
    expectCode(ended, 1)
    expect(ended.stdout).not.toContain("went on")
  })

  it("a rejection that nobody handles is an error in the log where that is asked for, and the program goes on", async ({ expect }) => {
    const ended = await run("rejecting", { unhandledRejection: "log" })
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/ERROR .*unhandledRejection\n[^]*nobody handles this[^]*went on\n/)
  })
})

describe.concurrent("a start that hangs", () => {
  for (const name of ["starting, launch", "starting, Layer.launch", "starting, Effect.provide"]) {
    it(`a start that hangs is ended by its limit, with the layer named, and what was built is released: ${name}`, async ({ expect }) => {
      const ended = await run(name, { startTimeout: 300 })
      expectCode(ended, 1)
      expect(ended.stdout).toMatch(/ERROR .*Not started within 300 ms: still building app\/Slow for \d+ ms\n/)
      expect(ended.stdout).not.toContain("app/Late for")
      expect(ended.stdout).toContain("released\n")
      expect(ended.stdout).toMatch(/Shut down in .* after a start that took too long/)
    })
  }

  it("a start that hangs of its loggers is ended, too", async ({ expect }) => {
    const ended = await run("starting, logger", { startTimeout: 300 })
    expectCode(ended, 1)
    expect(ended.stdout).toContain("still building app/Slow")
  })

  it("a start that hangs is none once it has started", async ({ expect }) => {
    const ended = await run("started in time", { startTimeout: 200 })
    expectCode(ended, 0)
    expect(ended.stdout).toContain("went on\n")
  })
})

describe.concurrent("an exit by others", () => {
  for (const [code, ours] of [[0, 1], [3, 3]] as const) {
    it(`an exit by others with ${code} while the scope closes is told, with what was left, and ends in ${ours}`, async ({ expect }) => {
      const ended = await signalled("exit, closing", { code })
      expectCode(ended, ours)
      expect(ended.stderr).toMatch(
        new RegExp(`^process.exit was called at .*reasons.* in the middle of the shutdown: exits with ${ours}\\.\n`)
      )
      expect(ended.stderr).toMatch(/\nStill running: Database for \d+ ms\n#  priority /)
    })
  }

  it("an exit by others is told where the application has another form of stacks, without who called", async ({ expect }) => {
    const ended = await signalled("exit, stacks of another form")
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(/^process.exit was called in the middle of the shutdown: exits with 1\.\n/)
  })

  it("an exit by others during the delay of the readiness is told as well", async ({ expect }) => {
    const ended = await signalled("exit, delayed", { code: 0 })
    expectCode(ended, 1)
    expect(ended.stderr).toMatch(
      /in the middle of the shutdown: exits with 1\.\nStill running: fiber #\d+ [^]*No cleanup has begun\.\n/
    )
  })

  it("an exit by others before or after the program's shutdown is theirs", async ({ expect }) => {
    for (const name of ["exit, before", "exit, after"]) {
      const ended = await run(name, { code: 0 })
      expectCode(ended, 0)
      expect(ended.stderr).toBe("")
    }
  })
})
