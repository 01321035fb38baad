/** Tries the mutations that are written by hand, in processes that can be ended when a change makes one spin. */
import { type ChildProcess, fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import { locate } from "./anchors.js"
import type { Mutation } from "./mutation.js"
import type { Trial, Verdict } from "./runner.js"

export interface Result {
  readonly mutation: Mutation
  readonly verdict: Verdict
}

const startLimit = 120_000

const running = new Set<ChildProcess>()
/** Each leads a group of its own, for what it has started must end with it. */
const kill = (child: ChildProcess): void => {
  running.delete(child)
  try {
    process.kill(-child.pid!, "SIGKILL")
  } catch {
    // All of them have ended.
  }
}
process.on("exit", () => running.forEach(kill))
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1))

/** The next message of a process, or why there is none. */
const answer = (child: ChildProcess, withinMillis: number): Promise<unknown> =>
  new Promise((resolve) => {
    const settle = (value: unknown) => {
      clearTimeout(timer)
      child.removeAllListeners("message").removeAllListeners("exit")
      resolve(value)
    }
    const timer = setTimeout(() => settle("a hang"), withinMillis)
    child.on("message", settle)
    child.on("exit", () => settle("an end of the process"))
  })

class Runner {
  private child: ChildProcess | undefined

  constructor(private readonly testTimeout: number) {}

  /** What hangs, or ends its process, has noticed the change, too. */
  async try(trial: Trial): Promise<Verdict> {
    const child = this.child ??= await this.start()
    child.send(trial)
    const verdict = await answer(child, 6 * this.testTimeout)
    if (typeof verdict !== "string") return verdict as Verdict
    this.stop()
    return { isNoticed: true, by: verdict }
  }

  stop(): void {
    if (this.child !== undefined) kill(this.child)
    this.child = undefined
  }

  private async start(): Promise<ChildProcess> {
    const child = fork(fileURLToPath(new URL("runner.ts", import.meta.url)), [String(this.testTimeout)], {
      detached: true,
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    running.add(child)
    const first = await answer(child, startLimit)
    if (first !== "ready") throw new Error(`Vitest does not start: ${first}`)
    return child
  }
}

const report = ({ mutation, verdict }: Result, millis: number): void => {
  const outcome = verdict.isNoticed ? "killed  " : "SURVIVED"
  const by = verdict.by === undefined ? "" : `  (${verdict.by})`
  console.log(`${outcome} ${(millis / 1000).toFixed(1).padStart(5)} s  ${mutation.what}${by}`)
}

export interface WrittenOptions {
  readonly processes: number
  /** Whether the tests are known to pass: only the first are tried, for a set-up in which all fail shows nothing. */
  readonly trustsTests: boolean
  /** A test that waits for so long has noticed a change. A short time is right where the tests have just passed. */
  readonly testTimeout: number
}

/** Tries the tests of a mutation without it first, each file once: one that fails anyway shows nothing. */
class Attempts {
  private readonly unchanged = new Map<string, Promise<Verdict>>()

  constructor(private readonly trustsTests: boolean) {}

  async run(runner: Runner, { tests, ...mutation }: Mutation): Promise<Verdict> {
    const edit = locate({ tests, ...mutation })
    if (typeof edit === "string") return { isNoticed: false, by: edit }
    for (const test of this.trustsTests && this.unchanged.size > 0 ? [] : tests) {
      const { by } = await this.runUnchanged(runner, test)
      if (by !== undefined) return { isNoticed: false, by: `fails without the change, too: ${by}` }
    }
    return runner.try({ edit, tests })
  }

  private runUnchanged(runner: Runner, test: string): Promise<Verdict> {
    const known = this.unchanged.get(test)
    if (known !== undefined) return known
    const verdict = runner.try({ edit: null, tests: [test] })
    this.unchanged.set(test, verdict)
    return verdict
  }
}

export const runWritten = async (
  mutations: ReadonlyArray<Mutation>,
  { processes, testTimeout, trustsTests }: WrittenOptions
): Promise<ReadonlyArray<Result>> => {
  const attempts = new Attempts(trustsTests)
  const waiting = [...mutations]
  const results: Array<Result> = []
  await Promise.all(Array.from({ length: processes }, async () => {
    const runner = new Runner(testTimeout)
    for (let mutation = waiting.shift(); mutation !== undefined; mutation = waiting.shift()) {
      const started = performance.now()
      const result = { mutation, verdict: await attempts.run(runner, mutation) }
      results.push(result)
      report(result, performance.now() - started)
    }
    runner.stop()
  }))
  const killed = results.filter(({ verdict }) => verdict.isNoticed).length
  console.log(`${killed} of ${results.length} mutations killed`)
  return results
}
