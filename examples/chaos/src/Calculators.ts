/** A pool of child processes, each of which answers one question at a time. */
import { ResourcePool } from "@patinox/pool"
import { Config, Context, Data, Effect } from "effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { appendFileSync } from "node:fs"
import { createInterface } from "node:readline"
import { Faults } from "./Faults.js"

class CalculatorGone extends Data.TaggedError("CalculatorGone")<{ readonly pid: number | undefined }> {}

interface Answer {
  readonly id: string
  readonly square: number
}

class Calculator {
  private answer: (answer: Answer | undefined) => void = () => {}

  constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout! }).on("line", (line) => this.answer(JSON.parse(line)))
    child.once("exit", () => this.answer(undefined))
    child.stdin!.on("error", () => {})
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null
  }

  /** An interruption does not stop it: the next caller would get this answer. */
  square(id: string, n: number): Effect.Effect<Answer, CalculatorGone> {
    return Effect.async((resume) => {
      const { pid } = this.child
      if (!this.isAlive) return resume(Effect.fail(new CalculatorGone({ pid })))
      this.answer = (answer) =>
        resume(answer === undefined ? Effect.fail(new CalculatorGone({ pid })) : Effect.succeed(answer))
      this.child.stdin!.write(`${JSON.stringify({ id, n })}\n`)
    })
  }

  readonly stop = Effect.promise(async () => {
    if (!this.isAlive) return
    const exit = once(this.child, "exit")
    this.child.kill("SIGTERM")
    await exit
  })
}

export class Calculators
  extends Context.Tag("chaos/Calculators")<Calculators, ResourcePool.ResourcePool<Calculator, unknown>>()
{}

const start = Effect.gen(function*() {
  const { untellable } = yield* Faults
  yield* untellable(0.05)
  const [script, pids] = yield* Effect.orDie(Config.all([Config.string("CALCULATOR"), Config.string("PIDS")]))
  const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "ignore"] })
  child.on("error", () => {})
  yield* Effect.sync(() => appendFileSync(pids, `${child.pid}\n`))
  return new Calculator(child)
})

export const layer = ResourcePool.layer(Calculators, start, {
  name: "calculators",
  minSize: 1,
  maxSize: 3,
  acquireTimeout: "5 seconds",
  destroy: ({ stop }) => stop,
  validate: ({ isAlive }) => Effect.succeed(isAlive),
  validateAfter: "1 millis",
  invalidateWhen: () => true
})

export const square = (id: string, n: number) =>
  Effect.flatMap(
    Calculators,
    (pool) => pool.use((calculator, { invalidate }) => Effect.onError(calculator.square(id, n), () => invalidate))
  )
