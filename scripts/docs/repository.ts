/** The documents and sources of the repository, by their paths relative to it. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import path from "node:path"

export const root = path.resolve(import.meta.dirname, "../..")

export const read = (file: string): string => readFileSync(path.join(root, file), "utf8")

export const exists = (file: string): boolean => existsSync(path.join(root, file))

const skipped = new Set(["node_modules", "dist", "docs/api"])

export const filesIn = (folder: string): ReadonlyArray<string> =>
  !exists(folder)
    ? []
    : readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const file = `${folder}/${entry.name}`
      if (skipped.has(entry.name) || skipped.has(file)) return []
      return entry.isDirectory() ? filesIn(file) : [file]
    })

export const documents: ReadonlyArray<string> = [
  ...["README.md", "ARCHITECTURE.md", "examples/README.md"].filter(exists),
  ...filesIn("packages").filter((file) => /^packages\/[^/]+\/README\.md$/.test(file)),
  ...filesIn("docs").filter((file) => file.endsWith(".md"))
]

export const sources: ReadonlyArray<string> = filesIn("packages").filter((file) =>
  /^packages\/[^/]+\/src\/.*\.ts$/.test(file)
)
