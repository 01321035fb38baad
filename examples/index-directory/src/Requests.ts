/**
 * Questions to another process or thread, and its answers by number. Once it has gone, all that are open fail, and so do
 * later ones.
 */
import { Effect, Exit } from "effect"
import { FileError, type HelperGone } from "./Errors.js"

/** What a helper answers. */
export type Answer<A> =
  & { readonly id: number }
  & (
    | { readonly ok: A }
    | { readonly error: { readonly code?: string; readonly message: string } }
  )

interface Open<A> {
  readonly path: string
  readonly resume: (exit: Exit.Exit<A, FileError | HelperGone>) => void
}

export class Requests<A> {
  private last = 0
  private gone: HelperGone | undefined
  private readonly open = new Map<number, Open<A>>()

  /** How many are open. */
  get size(): number {
    return this.open.size
  }

  ask(path: string, send: (question: { readonly id: number; readonly path: string }) => void) {
    return Effect.async<A, FileError | HelperGone>((resume) => {
      if (this.gone !== undefined) return resume(Effect.fail(this.gone))
      const id = ++this.last
      this.open.set(id, { path, resume })
      send({ id, path })
      return Effect.sync(() => this.open.delete(id))
    })
  }

  answer(answer: Answer<A>): void {
    const request = this.open.get(answer.id)
    // A request that was interrupted meanwhile is no longer open.
    if (request === undefined) return
    this.open.delete(answer.id)
    const { path, resume } = request
    if ("ok" in answer) return resume(Exit.succeed(answer.ok))
    resume(Exit.fail(new FileError({ path, cause: Object.assign(new Error(answer.error.message), answer.error) })))
  }

  end(reason: HelperGone): void {
    this.gone ??= reason
    for (const { resume } of this.open.values()) resume(Exit.fail(this.gone))
    this.open.clear()
  }
}
