/** A closed list of words that grows does not compile until each place that decides by it has decided. */
import path from "node:path"
import ts from "typescript"
import { expect, it } from "vitest"

const root = path.resolve(import.meta.dirname, "../..")

interface Vocabulary {
  readonly file: string
  /** What depends on it. */
  readonly dependents: RegExp
}

const ofCore: Vocabulary = {
  file: "packages/core/src/internal/kernel/Vocabulary.ts",
  dependents: /\/packages\/core\/src\//
}
const ofPool: Vocabulary = {
  file: "packages/pool/src/internal/state/Vocabulary.ts",
  dependents: /\/packages\/pool\/(src\/|test\/README\.test)/
}

const ofCache: Vocabulary = {
  file: "packages/cache/src/internal/state/Vocabulary.ts",
  dependents: /\/packages\/cache\/src\//
}

/** The dependents that do not compile once `change` was made to its vocabulary. */
const broken = ({ dependents, file }: Vocabulary, change: (text: string) => string): ReadonlyArray<string> => {
  const vocabulary = path.join(root, file)
  const { config } = ts.readConfigFile(path.join(root, "tsconfig.json"), ts.sys.readFile)
  const { fileNames, options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const { tsBuildInfoFile: _, ...plain } = { ...options, incremental: false, noEmit: true }
  const host = ts.createCompilerHost(plain, true)
  host.getSourceFile = (name, version) => {
    const text = host.readFile(name)
    if (text === undefined) return undefined
    return ts.createSourceFile(name, path.resolve(name) === vocabulary ? change(text) : text, version, true)
  }
  const sources = fileNames.filter((name) => dependents.test(name))
  const program = ts.createProgram(sources, plain, host)
  const found = program.getSemanticDiagnostics().map((diagnostic) => path.basename(diagnostic.file?.fileName ?? ""))
  return [...new Set(found)].sort()
}

it("an outcome and a strategy more", () => {
  const grown = (text: string) =>
    text.replace(`"disarmed"]`, `"disarmed", "novel"]`).replace(`"Fail"]`, `"Fail", "Novel"]`)
  expect(broken(ofCore, grown)).toEqual(["CleanupReport.ts", "Recovery.ts", "Registry.ts", "RegistryReporter.ts"])
}, 60_000)

it("a pool's phase, reason to remove an item, refusal, or another word of its closed lists more", () => {
  const grown = (text: string) => text.replaceAll(/(const \w+ = \[[^\]]*?)(\s*\] as const)/g, `$1, "novel"$2`)
  const sources = ["BorrowErrors.ts", "ItemHooks.ts", "Phase.ts", "PoolError.ts", "PoolState.ts"]
  expect(broken(ofPool, grown)).toEqual([...sources, "README.test.ts"])
}, 60_000)

it("a reason to remove a value, a load's phase, a verdict, or another word of a cache's closed lists more", () => {
  const grown = (text: string) => text.replaceAll(/(const \w+ = \[[^\]]*?)(\s*\] as const)/g, `$1, "novel"$2`)
  const decisions = ["CacheState.ts", "Entries.ts", "Loads.ts", "Occupancy.ts", "RoomCircle.ts"]
  const words = ["CacheError.ts", "CacheMetrics.ts", "Refusals.ts", "Requester.ts", "makeCache.ts"]
  expect(broken(ofCache, grown)).toEqual([...words, ...decisions].sort())
}, 60_000)
