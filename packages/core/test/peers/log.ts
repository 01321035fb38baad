/** Resources that log what becomes of them: `+name` when acquired, `-name` when released. */
import { Effect, Exit, Scope } from "effect"

export interface Log {
  readonly lines: ReadonlyArray<string>
  readonly note: (line: string) => Effect.Effect<void>
  /** Counts the lines that are the same as this one. */
  readonly count: (line: string) => number
  readonly resource: <A = string>(name: string, value?: A) => Effect.Effect<A, never, Scope.Scope>
}

export const makeLog = (): Log => {
  const lines: Array<string> = []
  const note = (line: string) =>
    Effect.sync(() => {
      lines.push(line)
    })
  return {
    lines,
    note,
    count: (line) => lines.filter((each) => each === line).length,
    resource: (name, value = name as never) =>
      Effect.acquireRelease(Effect.as(note(`+${name}`), value), () => note(`-${name}`))
  }
}

export { turns } from "../../../../scripts/testing/effects.js"

export const closeVoid = (scope: Scope.CloseableScope) => Scope.close(scope, Exit.void)
