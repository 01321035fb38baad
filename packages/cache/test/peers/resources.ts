/** Resources that log what becomes of them: `+key` when acquired, `-key` when released. */
import { Effect } from "effect"

export const resources = () => {
  const log: Array<string> = []
  const lookup = (key: string) =>
    Effect.acquireRelease(
      Effect.sync(() => {
        log.push(`+${key}`)
        return key
      }),
      () => Effect.sync(() => log.push(`-${key}`))
    )
  return { lookup, log }
}
