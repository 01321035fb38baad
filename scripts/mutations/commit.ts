/** The commit that the sources are at, also where there is no Git to tell it. */
import { execFileSync } from "node:child_process"

const git = (...args: ReadonlyArray<string>): string | undefined => {
  try {
    return execFileSync("git", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()
  } catch {
    return undefined
  }
}

export const commitHash = (): string => git("rev-parse", "HEAD") ?? "no commit"

export const isClean = (): boolean => git("status", "--porcelain") === ""
