/** Which mutations a sample tries: a tenth, another one with each commit, and the same one again for the same commit. */
import { createHash } from "node:crypto"
import { commitHash } from "./commit.js"
import type { Mutation } from "./mutation.js"

export const sampleOf = (mutations: ReadonlyArray<Mutation>, seed = commitHash()): ReadonlyArray<Mutation> => {
  const rank = ({ what }: Mutation) => createHash("sha256").update(seed + what).digest("hex")
  return [...mutations].sort((a, b) => rank(a) < rank(b) ? -1 : 1).slice(0, Math.ceil(mutations.length / 10))
}
