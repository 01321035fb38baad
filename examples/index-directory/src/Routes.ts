/** What the server answers: a request as plain data to a status and a body. */
import { Effect } from "effect"
import type { IndexError } from "./Errors.js"
import type { Progress } from "./Progress.js"
import type { SqliteIndex } from "./SqliteIndex.js"

export interface Answer {
  readonly status: number
  readonly body: unknown
}

const answer = (status: number, body: unknown): Answer => ({ status, body })

/** Undefined where it is not a whole number from `min`. */
const wholeNumber = (text: string, min: number): number | undefined =>
  /^\d{1,9}$/.test(text) && Number(text) >= min ? Number(text) : undefined

const base = "http://localhost"

export const respond = (
  request: { readonly method: string; readonly url: string },
  index: Pick<SqliteIndex["Type"], "byHash" | "count" | "list">,
  progress: Effect.Effect<Progress>
): Effect.Effect<Answer, IndexError> => {
  if (!URL.canParse(request.url, base)) return Effect.succeed(answer(400, { error: "This is not a path" }))
  const { pathname, searchParams } = new URL(request.url, base)
  if (request.method !== "GET") return Effect.succeed(answer(405, { error: `${request.method} is not supported` }))
  if (pathname === "/progress") return Effect.map(progress, (progress) => answer(200, progress))
  if (pathname === "/files") {
    const limit = wholeNumber(searchParams.get("limit") ?? "100", 1)
    const offset = wholeNumber(searchParams.get("offset") ?? "0", 0)
    if (limit === undefined || offset === undefined) {
      return Effect.succeed(answer(400, { error: "limit and offset are whole numbers, from 1 and from 0" }))
    }
    return Effect.zipWith(index.count, index.list({ limit, offset }), (count, files) => answer(200, { count, files }))
  }
  const hash = /^\/files\/([0-9a-f]{64})$/.exec(pathname)?.[1]
  if (hash === undefined) return Effect.succeed(answer(404, { error: "Try /files, /files/<sha-256> or /progress" }))
  return Effect.map(
    index.byHash(hash),
    (files) => files.length === 0 ? answer(404, { error: `No file with the hash ${hash}` }) : answer(200, { files })
  )
}
