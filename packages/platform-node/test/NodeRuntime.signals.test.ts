/** More than one signal, signals at odd moments, and which signals. */
import { beforeAll, describe, expect, it } from "vitest"
import { compile, type Ended, expectCode, makeFolder, start, type Started } from "./process.js"

const folder = makeFolder()
let script: string
beforeAll(async () => {
  script = await compile(new URL("fixtures/signals.ts", import.meta.url), folder)
})

/** Sends a signal again and again, so that no time has to be waited for. */
const killedUntilEnd = async (started: Started, signal: NodeJS.Signals): Promise<Ended> => {
  const sending = setInterval(() => started.kill(signal), 100)
  try {
    return await started.ended
  } finally {
    clearInterval(sending)
  }
}

describe.concurrent("one signal that comes twice is one", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR2"] as const) {
    it(`${signal}: what has begun is cleaned up, and the exit code is 0`, async ({ expect }) => {
      const started = start(script, ["doubled", { signals: [signal] }])
      await started.printed("ready")
      started.kill(signal)
      const ended = await started.ended
      expectCode(ended, 0)
      expect(ended.stdout).toMatch(/twice\n[^]*closed\n/)
      expect(ended.stderr).toBe("")
    })
  }

  it("one signal that comes twice is one where the process is too busy to hear of it in time, too", async ({ expect }) => {
    const started = start(script, ["doubled while busy", { signals: ["SIGTERM"] }])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/twice\n[^]*closed\n/)
    expect(ended.stderr).toBe("")
  })
})

describe.concurrent("a second signal", () => {
  const pairs = [
    ["SIGTERM", "SIGTERM", 143],
    ["SIGTERM", "SIGINT", 130],
    ["SIGINT", "SIGINT", 130],
    ["SIGINT", "SIGHUP", 129]
  ] as const
  for (const [first, second, code] of pairs) {
    it(`${second} after ${first} exits at once with ${code} and says what was left`, async ({ expect }) => {
      const started = start(script, ["stuck", { shutdownTimeout: "60 seconds" }])
      await started.printed("ready")
      started.kill(first)
      await started.printed("closing socket")
      // The same signal is the first one delivered twice for as long as half a second.
      const ended = await killedUntilEnd(started, second)
      expectCode(ended, code)
      expect(ended.stderr).toMatch(
        new RegExp(`^${second} after ${first}: exits at once with ${code}\\.\nStill running: socket for [\\d.]+ m?s\n`)
      )
      expect(ended.stderr).toMatch(/^1 +Normal +socket +running /m)
      expect(ended.stdout).not.toContain("Shut down in")
    })
  }

  it("names the fibers where the scope has not begun to close", async ({ expect }) => {
    const started = start(script, ["stubborn", { shutdownTimeout: "60 seconds" }])
    await started.printed("ready")
    started.kill("SIGTERM")
    await started.printed("shutting down")
    started.kill("SIGINT")
    const ended = await started.ended
    expectCode(ended, 130)
    expect(ended.stderr).toMatch(/Still running: fiber #\d+ \(.* old\), fiber #\d+ in span "child" \(.* old\)\n/)
    expect(ended.stderr).toContain("No cleanup has begun.")
  })

  it("ends the delay of the readiness, too", async ({ expect }) => {
    const started = start(script, ["serving", { readinessDelay: "20 seconds" }])
    await started.printed("ready: true")
    started.kill("SIGTERM")
    await started.printed("draining")
    started.kill("SIGINT")
    const ended = await started.ended
    expectCode(ended, 130)
    expect(ended.stdout).not.toContain("interrupted")
  })
})

describe.concurrent("the delay of the readiness", () => {
  it("turns readiness off at the signal, and interrupts only after it", async ({ expect }) => {
    const started = start(script, ["serving", { readinessDelay: 500 }])
    await started.printed("ready: true")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.millis).toBeGreaterThan(450)
    expect(ended.stdout).toMatch(/not ready from now on, intake stops in 500 ms/)
    expect(ended.stdout).toMatch(/draining\n(serving\n){3}[^]*serving\ninterrupted\n/)
  })

  it("the delay of the readiness is part of the time that the whole shutdown has", async ({ expect }) => {
    const started = start(script, ["stuck", { readinessDelay: 900, shutdownTimeout: 1_900 }])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    const deadline = Number(/ms \(deadline (\d+) ms/.exec(ended.stdout)?.[1])
    expect(deadline).toBeGreaterThan(100)
    expect(deadline).toBeLessThanOrEqual(900)
  })

  it("the delay of the readiness is not a time to be hurried: who serves is not told of as holding things up", async ({ expect }) => {
    const started = start(script, ["serving", { readinessDelay: 2_500 }])
    await started.printed("ready: true")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).not.toContain("Still shutting down")
  })

  it("the delay of the readiness is time for fibers to be forked, which are named as well", async ({ expect }) => {
    const started = start(script, ["late child", { readinessDelay: 500, shutdownTimeout: 2_000 }])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 1)
    expect(ended.stdout).toMatch(
      /Abandoned \d+ fibers? that ignored interruption for .*: .*fiber #\d+ in span "late child"/
    )
  })

  it("the delay of the readiness ends with the program", async ({ expect }) => {
    const started = start(script, ["leaving", { readinessDelay: "20 seconds" }])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).toContain("left\n")
    expect(ended.millis).toBeLessThan(10_000)
  })
})

describe.concurrent("signals", () => {
  it("signals before the first step of the program end it without one", async ({ expect }) => {
    const started = start(script, ["unstarted"])
    await started.printed("ready")
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).not.toContain("first step")
  })

  it("signals are those that were asked for", async ({ expect }) => {
    const options = { signals: ["SIGUSR2"] }
    const [one, other] = [start(script, ["plain", options]), start(script, ["plain", options])]
    await Promise.all([one.printed("ready"), other.printed("ready")])
    one.kill("SIGUSR2")
    other.kill("SIGTERM")
    expectCode(await one.ended, 0)
    expect(await other.ended).toMatchObject({ code: null, signal: "SIGTERM" })
  })

  it("reach a program that nothing else keeps alive", async ({ expect }) => {
    const started = start(script, ["plain"])
    await started.printed("ready")
    // Enough for a process with nothing to do to end.
    await new Promise((resume) => setTimeout(resume, 300))
    started.kill("SIGTERM")
    const ended = await started.ended
    expectCode(ended, 0)
    expect(ended.stdout).toMatch(/Shut down in .* after SIGTERM/)
  })

  for (const name of ["private scope", "private failure"]) {
    it(`signals end in 1 where the program dies of them, and that is logged: ${name}`, async ({ expect }) => {
      const started = start(script, [name])
      await started.printed("ready")
      started.kill("SIGTERM")
      const ended = await started.ended
      expectCode(ended, 1)
      expect(ended.stdout).toMatch(/ERROR .*\n? +Error: (broken pipe|no goodbye)\n +at /)
    })
  }

  it("signals that this platform does not have are left out", async ({ expect }) => {
    const started = start(script, ["plain", { signals: ["SIGBREAK", "SIGTERM"] }])
    await started.printed("ready")
    started.kill("SIGTERM")
    expectCode(await started.ended, 0)
    expect(process.platform === "win32").toBe("SIGBREAK" in (await import("node:os")).constants.signals)
  })

  it("signals are nobody's business any more after the end", async ({ expect }) => {
    const ended = await start(script, ["quick"]).ended
    expectCode(ended, 0)
    expect(ended.stdout).toBe("done\nlisteners: 0,0,0,0,0\n")
  })
})

it("a fiber that is abandoned was interrupted, as far as finalizers can know", async () => {
  const started = start(script, ["abandoned", { shutdownTimeout: 1_500 }])
  await started.printed("ready")
  started.kill("SIGTERM")
  const ended = await started.ended
  expectCode(ended, 1)
  expect(ended.stdout).toContain("closed by an interruption\n")
})

it("who still cleans up, and since when, is said from time to time", async () => {
  const started = start(script, ["stuck", { shutdownTimeout: 5_500 }])
  await started.printed("ready")
  started.kill("SIGTERM")
  const ended = await started.ended
  expectCode(ended, 1)
  const lines = ended.stdout.match(/(INFO|WARN) .*Still shutting down after .* of 5\.5 s: socket for .*/g)
  expect(lines).toHaveLength(2)
  // A warning once half of the time is over.
  expect(lines!.map((line) => line.includes("WARN"))).toEqual([false, true])
  expect(lines![0]).toMatch(/after 2(\.\d)? s of 5\.5 s: socket for (1\.\d|2(\.\d)?) s/)
})
