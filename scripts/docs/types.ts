/** Type-checks all examples in one program, each as a module of its own at the root of the repository. */
import path from "node:path"
import ts from "typescript"
import type { Example } from "./examples.js"

/** The problems of each example, by its line in the document. */
export const typeProblems = (
  root: string,
  examples: ReadonlyArray<Example>
): ReadonlyMap<Example, ReadonlyArray<string>> => {
  const { config } = ts.readConfigFile(path.join(root, "tsconfig.base.json"), ts.sys.readFile)
  const options: ts.CompilerOptions = {
    ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options,
    noEmit: true,
    // As strict as a user's project may be, which runs in Node and so has no DOM.
    lib: ["lib.es2022.d.ts", "lib.esnext.disposable.d.ts"],
    strict: true,
    noUncheckedIndexedAccess: true,
    // An example often shows a value that it then leaves alone.
    noUnusedLocals: false
  }
  const byPath = new Map(examples.map((example, index) => [path.join(root, `example-${index}.ts`), example]))
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile } = host
  host.fileExists = (file) => byPath.has(path.normalize(file)) || fileExists(file)
  host.readFile = (file) => byPath.get(path.normalize(file))?.code ?? readFile(file)
  host.getSourceFile = (file, languageVersion) => {
    const text = host.readFile(file)
    return text === undefined ? undefined : ts.createSourceFile(file, text, languageVersion)
  }

  const program = ts.createProgram([...byPath.keys()], options, host)
  const problems = new Map<Example, ReadonlyArray<string>>()
  for (const [file, example] of byPath) {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    problems.set(
      example,
      found.map(({ file, messageText, start = 0 }) => {
        const line = example.line + 1 + (file?.getLineAndCharacterOfPosition(start).line ?? 0)
        return `${example.file}:${line}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`
      })
    )
  }
  return problems
}
