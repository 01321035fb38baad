/** The rules of this repository that no general linter knows (`scripts/rules`). */
import path from "node:path"
import { fileURLToPath } from "node:url"
import { checkRules, repositoryFiles } from "./rules/check.js"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const findings = checkRules(root, repositoryFiles(root))

for (const { file, line, message, rule } of findings) console.error(`${file}:${line}  ${rule}  ${message}`)
if (findings.length > 0) process.exitCode = 1
