/** Runs a module on the sources of the packages, in a process of its own. */
import { NodeProgram } from "@patinox/vitest"
import { fileURLToPath } from "node:url"

const cwd = fileURLToPath(new URL("../..", import.meta.url))

export const runSource = (source: string, nodeOptions: ReadonlyArray<string> = []) =>
  NodeProgram.run(source, { cwd, nodeOptions: [...nodeOptions, "--conditions=source", "--import", "tsx"] })
