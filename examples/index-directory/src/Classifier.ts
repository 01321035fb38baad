/** A child process that looks into the files: what foreign bytes do to it, they do not do to us. */
import { ResourceGuard } from "@patinox/core"
import { Context, Effect } from "effect"
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import { type FileError, HelperGone } from "./Errors.js"
import { type Answer, Requests } from "./Requests.js"
import type { Row } from "./SqliteIndex.js"

type Class = Pick<Row, "kind" | "lines">

export class Classifier extends Context.Tag("index-directory/Classifier")<Classifier, {
  readonly pid: number
  readonly child: Child
  readonly exited: Effect.Effect<void>
  /** Fails when it has gone, whether or not it is asked something. */
  readonly watch: Effect.Effect<never, HelperGone>
  readonly classify: (path: string) => Effect.Effect<Class, FileError | HelperGone>
}>() {}

type Child = ChildProcessByStdio<Writable, Readable, null>

const gone = (reason: string) => new HelperGone({ helper: "classifier", reason })

const start = (deaf: boolean) =>
  Effect.async<Child, HelperGone>((resume) => {
    const script = fileURLToPath(new URL("./classify.mjs", import.meta.url))
    const child = spawn(process.execPath, [script, ...(deaf ? ["--deaf"] : [])], { stdio: ["pipe", "pipe", "inherit"] })
    child.once("spawn", () => resume(Effect.succeed(child)))
    child.once("error", (error) => resume(Effect.fail(gone(error.message))))
    // Where a second signal or the deadline ends this process, no release comes to its end.
    const kill = () => child.kill("SIGKILL")
    process.once("exit", kill)
    child.once("exit", () => process.off("exit", kill))
  })

const serviceOf = (child: Child) => {
  const requests = new Requests<Class>()
  const hasExited = () => child.exitCode !== null || child.signalCode !== null
  const reason = () => gone(child.signalCode ?? `exit code ${child.exitCode}`)
  child.on("exit", () => requests.end(reason()))
  // That it no longer reads shows by its exit.
  child.stdin.on("error", () => {})
  createInterface({ input: child.stdout }).on("line", (line) => requests.answer(JSON.parse(line) as Answer<Class>))
  const exited = Effect.async<void>((resume) => {
    if (hasExited()) return resume(Effect.void)
    const onExit = () => resume(Effect.void)
    child.once("exit", onExit)
    return Effect.sync(() => child.off("exit", onExit))
  })
  return Classifier.of({
    pid: child.pid!,
    child,
    exited,
    watch: Effect.andThen(exited, Effect.failSync(reason)),
    classify: (path) => requests.ask(path, (question) => child.stdin.write(`${JSON.stringify(question)}\n`))
  })
}

/** A `deaf` one does not end when its input does. */
export const layer = ({ deaf }: { readonly deaf: boolean }) =>
  ResourceGuard.layer(
    Classifier,
    Effect.map(start(deaf), serviceOf),
    ({ child, exited }) => Effect.andThen(Effect.sync(() => child.stdin.end()), exited),
    {
      priority: "High",
      // Nothing is lost when the waiting is interrupted by the time limit: it is tried again, and then killed.
      interruptible: true,
      recovery: {
        fallback: ({ child, exited }) => Effect.andThen(Effect.sync(() => child.kill("SIGKILL")), exited)
      }
    }
  )
