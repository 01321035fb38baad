/** Signal x moment x fault, from outside: exit code, what was printed, how long it took, and that nothing is left. */
import { existsSync, mkdirSync } from "node:fs"
import path from "node:path"
import { beforeAll, describe, it } from "vitest"
import { compile, expectCode, isGone, makeFolder, start } from "./process.js"

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const
const moments = ["starting", "running", "closing"] as const
const faults = ["none", "hang", "die", "fail", "ignore", "spin"] as const

type Moment = typeof moments[number]
type Fault = typeof faults[number]

/** What is printed to name the culprit, on either stream; on a busy machine the deadline may come first. */
const culprit = (fault: Fault, moment: Moment): RegExp => {
  switch (fault) {
    case "none":
      return /Shut down in .* after SIG\w+: \d resources? in .*\n/
    case "hang":
      return /Cleanup of Database \(.*\) timed out after .* and 1 attempt|Still running: Database for/
    case "die":
      return /Cleanup of Database \(.*\) failed after 1 attempt: Error: refused by Database/
    case "fail":
      return /Cleanup of Database \(.*\) failed after .*CloseError/
    case "ignore":
      return moment === "closing"
        ? /Cleanup of Database \(.*\) timed out after .*; it did not stop, was abandoned|Still running: Database for/
        : /Abandoned \d+ fibers? that ignored interruption for .*: fiber #\d+ in span "stubborn work"/
    case "spin":
      return /The deadline of 1 s has passed and the main thread is busy in spinning \(file:.*matrix\.mjs:\d+:\d+\)/
  }
}

/** Who waits for nothing is done long before the deadline; what spins needs a processor until then. */
const timeouts: Record<Fault, number> = {
  none: 60_000,
  die: 60_000,
  fail: 60_000,
  hang: 2_500,
  ignore: 2_500,
  spin: 1_000
}

describe.concurrent("a process that is signalled", () => {
  const folder = makeFolder()
  let script: string
  beforeAll(async () => {
    script = await compile(new URL("fixtures/matrix.ts", import.meta.url), folder)
  })

  for (const signal of signals) {
    for (const moment of moments) {
      for (const fault of faults) {
        it(`a process that is signalled with ${signal} while ${moment}, fault ${fault}`, async ({ expect }) => {
          const own = path.join(folder, `${signal}-${moment}-${fault}`)
          mkdirSync(own)
          const started = start(script, [moment, fault, signal, timeouts[fault], own])
          await started.printed(`now ${moment}`)
          started.kill(signal)
          const ended = await started.ended

          expectCode(ended, fault === "none" ? 0 : 1)
          expect(ended.stdout + ended.stderr).toMatch(culprit(fault, moment))
          if (fault !== "spin") expect(ended.stderr).toBe("")
          // Not before it must, and not after: on a busy machine a process takes its time, too.
          expect(ended.millis).toBeGreaterThan(timeouts[fault] === 60_000 ? 0 : timeouts[fault] * 0.75)
          expect(ended.millis).toBeLessThan(10_000)
          const child = Number(/^child (\d+)$/m.exec(ended.stdout)?.[1])
          expect(child).toBeGreaterThan(0)
          expect(await isGone(child)).toBe(true)
          expect(await isGone(started.process.pid!)).toBe(true)
          // Nothing can run after what spins.
          expect(existsSync(path.join(own, "outer")), ended.stdout + ended.stderr).toBe(fault === "spin")
        })
      }
    }
  }
})
