/** Counts the phrases to leave out in every text of the repository, against a budget for each folder that only shrinks. */
import { readFileSync } from "node:fs"
import path from "node:path"
import ts from "typescript"
import { phrases } from "./phrases.js"
import { proseOfDocument, proseOfSource } from "./prose.js"
import type { Finding } from "./rule.js"

export type Budget = Readonly<Record<string, number>>

/** Where the budget stands, from the root of the repository. */
export const budgetFile = "scripts/rules/words.json"

/** What names the phrases, and documents that are made from texts which are checked where they stand. */
const exempt = new Set([
  "scripts/rules/phrases.ts",
  "scripts/rules/words.test.ts",
  "docs/messages.md",
  "docs/beside-effect.md"
])

/** Most files have none, and need not be parsed to know it. */
const mayHaveWords = (text: string): boolean => {
  const flat = text.replace(/[\s*/]+/g, " ")
  return phrases.some(({ pattern }) => flat.search(pattern) !== -1)
}

export const wordsIn = (file: string, text: string): ReadonlyArray<Finding> => {
  if (!mayHaveWords(text)) return []
  const prose = file.endsWith(".md") ? proseOfDocument(text) : proseOfSource(file, text)
  const lineAt = (position: number) => text.slice(0, position).split("\n").length
  return phrases.flatMap(({ instead, name, pattern }) =>
    [...prose.matchAll(pattern)].map((match) => ({
      rule: "words",
      file,
      line: lineAt(match.index),
      message: `"${match[0].replace(/\s+/g, " ")}" (${name}): ${instead}`
    }))
  )
}

/** A package's sources, tests and documents count apart; any other file counts for the first folder of its path. */
export const folderOf = (file: string): string => {
  const parts = file.split("/")
  if (parts[0] !== "packages") return parts.length === 1 ? "." : parts[0]
  return parts.length > 3 ? parts.slice(0, 3).join("/") : parts.slice(0, 2).join("/")
}

export const countsOf = (findings: ReadonlyArray<Finding>): Budget => {
  const counts: Record<string, number> = {}
  for (const { file } of findings) counts[folderOf(file)] = (counts[folderOf(file)] ?? 0) + 1
  return counts
}

/** Where a count differs from its budget: above it with each place, below it with how to lower that. */
export const overBudget = (findings: ReadonlyArray<Finding>, budget: Budget): ReadonlyArray<Finding> => {
  const counts = countsOf(findings)
  const folders = [...new Set([...Object.keys(counts), ...Object.keys(budget)])].sort()
  return folders.flatMap((folder) => {
    const count = counts[folder] ?? 0
    const allowed = budget[folder] ?? 0
    if (count === allowed) return []
    const problem = count > allowed
      ? `${folder} has ${count} phrases to leave out, ${allowed} are allowed`
      : `${folder} has ${count} phrases to leave out, fewer than ${allowed}: run \`npx tsx scripts/lint-rules.ts --shrink\``
    return [
      { rule: "words", file: budgetFile, line: 1, message: problem },
      ...(count > allowed ? findings.filter(({ file }) => folderOf(file) === folder) : [])
    ]
  })
}

/** The budget after some texts were reworded: no count rises. */
export const shrunk = (budget: Budget, findings: ReadonlyArray<Finding>): Budget => {
  const counts = countsOf(findings)
  const left = Object.entries(budget).map(([folder, allowed]) =>
    [folder, Math.min(allowed, counts[folder] ?? 0)] as const
  )
  return Object.fromEntries(left.filter(([, allowed]) => allowed > 0).sort(([a], [b]) => a < b ? -1 : 1))
}

export const readBudget = (root: string): Budget => JSON.parse(readFileSync(path.join(root, budgetFile), "utf8"))

/** What others wrote, or a script. */
const unread = [
  "**/node_modules",
  "**/dist",
  "docs/api",
  "effect4/docs",
  "effect4/packages",
  "effect4/scripts",
  ".tmp",
  "coverage"
]

const textFiles = (root: string): ReadonlyArray<string> =>
  ts.sys.readDirectory(root, [".ts", ".mjs", ".md"], unread)
    .map((file) => path.relative(root, file).split(path.sep).join("/"))
    .filter((file) => !file.startsWith(".") && !exempt.has(file))

export const findWords = (root: string): ReadonlyArray<Finding> =>
  textFiles(root).flatMap((file) => wordsIn(file, readFileSync(path.join(root, file), "utf8")))
