/** A closed list of words that grows does not compile until each place that decides by it has decided. */
import path from "node:path"
import ts from "typescript"
import { expect, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

const vocabulary = path.join(root, "packages/core/src/internal/kernel/Vocabulary.ts")

/** The files of core that do not compile once `change` was made to its vocabulary. */
const broken = (change: (text: string) => string): ReadonlyArray<string> => {
  const { config } = ts.readConfigFile(path.join(root, "tsconfig.json"), ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const { tsBuildInfoFile: _, ...plain } = { ...options, incremental: false, noEmit: true }
  const host = ts.createCompilerHost(plain, true)
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name)
    if (text === undefined) return undefined
    return ts.createSourceFile(name, path.resolve(name) === vocabulary ? change(text) : text, version, true)
  }
  const sources = fileNames.filter((name) => name.includes("/packages/core/src/"))
  const program = ts.createProgram(sources, plain, host)
  return [...new Set(program.getSemanticDiagnostics().map(({ file }) => path.basename(file?.fileName ?? "")))].sort()
}

it("an outcome and a strategy more", () => {
  const grown = (text: string) =>
    text.replace(`"disarmed"]`, `"disarmed", "novel"]`).replace(`"Fail"]`, `"Fail", "Novel"]`)
  expect(broken(grown)).toEqual(["CleanupReport.ts", "Recovery.ts", "Registry.ts", "RegistryReporter.ts"])
}, 60_000)
