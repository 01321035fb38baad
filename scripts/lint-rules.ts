/**
 * The rules of this repository that no general linter knows (`scripts/rules`). `--words` lists every phrase to leave out,
 * of the folders named after it; `--shrink` lowers the budget for them to what is left.
 */
import { writeFileSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { checkRules, repositoryFiles } from "./rules/check.js"
import type { Finding } from "./rules/rule.js"
import { budgetFile, findWords, folderOf, overBudget, readBudget, shrunk } from "./rules/words.js"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")

const print = (findings: ReadonlyArray<Finding>): void => {
  for (const { file, line, message, rule } of findings) console.error(`${file}:${line}  ${rule}  ${message}`)
}

const [option, ...folders] = process.argv.slice(2)
if (option === "--words") {
  print(findWords(root).filter(({ file }) => folders.length === 0 || folders.includes(folderOf(file))))
} else if (option === "--shrink") {
  const budget = shrunk(readBudget(root), findWords(root))
  writeFileSync(path.join(root, budgetFile), `${JSON.stringify(budget, null, 2)}\n`)
} else {
  const findings = [...checkRules(root, repositoryFiles(root)), ...overBudget(findWords(root), readBudget(root))]
  print(findings)
  if (findings.length > 0) process.exitCode = 1
}
