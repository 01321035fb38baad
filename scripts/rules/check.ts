/** Runs every rule over files of the repository; `overlay` holds texts for paths that need not exist. */
import { existsSync } from "node:fs"
import path from "node:path"
import ts from "typescript"
import { everyTestRuns, noUtils } from "./files.js"
import { insidesInSeam, layersGoDown, noForeignInside, stmInQueue } from "./imports.js"
import { ambientInSeam, portableEffect, suspendingInSeam, unsafeInSeam } from "./members.js"
import type { Finding, Rule } from "./rule.js"
import { valuesAreNoEffects } from "./values.js"

export const rules: ReadonlyArray<Rule> = [
  stmInQueue,
  insidesInSeam,
  unsafeInSeam,
  suspendingInSeam,
  valuesAreNoEffects,
  portableEffect,
  ambientInSeam,
  everyTestRuns,
  noUtils,
  noForeignInside,
  layersGoDown
]

const readOptions = (root: string): ts.CompilerOptions => {
  const { config } = ts.readConfigFile(path.join(root, "tsconfig.base.json"), ts.sys.readFile)
  return { ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options, allowJs: true, noEmit: true }
}

export const checkRules = (
  root: string,
  files: ReadonlyArray<string>,
  overlay: Readonly<Record<string, string>> = {}
): ReadonlyArray<Finding> => {
  const options = readOptions(root)
  const host = ts.createCompilerHost(options, true)
  const { fileExists, readFile } = host
  const overlaid = (file: string) => overlay[path.relative(root, file).split(path.sep).join("/")]
  host.fileExists = (file) => overlaid(file) !== undefined || fileExists(file)
  host.readFile = (file) => overlaid(file) ?? readFile(file)
  host.getSourceFile = (file, languageVersion) => {
    const text = host.readFile(file)
    return text === undefined ? undefined : ts.createSourceFile(file, text, languageVersion, true)
  }

  const program = ts.createProgram(files.map((file) => path.join(root, file)), options, host)
  const checker = program.getTypeChecker()
  const findings: Array<Finding> = []
  for (const file of files) {
    const source = program.getSourceFile(path.join(root, file))
    if (source === undefined) throw new Error(`${file} cannot be read`)
    for (const rule of rules.filter((rule) => rule.appliesTo(file))) {
      rule.check({
        path: file,
        source,
        checker,
        report: (node, message) => {
          const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1
          const isKnown = findings.some((known) =>
            known.file === file && known.line === line && known.message === message
          )
          if (!isKnown) findings.push({ rule: rule.name, file, line, message })
        }
      })
    }
  }
  return findings
}

export const repositoryFiles = (root: string): ReadonlyArray<string> =>
  ["packages", "examples", "scripts", "bench"]
    .filter((folder) => existsSync(path.join(root, folder)))
    .flatMap((folder) => ts.sys.readDirectory(path.join(root, folder), [".ts", ".mjs"], ["**/node_modules", "**/dist"]))
    .map((file) => path.relative(root, file).split(path.sep).join("/"))
