/**
 * Writes the packages for Effect 4: `effect4/packages` and what their tests share, `effect4/scripts`, out of the sources
 * for Effect 3. A file under `effect4/twins` takes the place of the source of the same path. Nothing that it writes is
 * committed: a copy could drift.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { excludedTests, isExcluded } from "./excluded.js"
import { documents, manifest, packages, shared } from "./packages.js"
import { type Place, Rewriter } from "./Rewriter.js"
import { substitutions } from "./substitutions.js"

const edition = fileURLToPath(new URL("..", import.meta.url))
const root = join(edition, "..")

const filesIn = (folder: string): ReadonlyArray<string> =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    : []

const problems: Array<string> = []
const written = new Set<string>()
let twins = 0

/** Only what has changed is written, so that who watches or compiles step by step does no work for nothing. */
const write = (path: string, text: string): void => {
  written.add(path)
  if (existsSync(path) && readFileSync(path, "utf8") === text) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const placeOf = (path: string): Place => /^packages\/[^/]+\/src\//.test(path) ? "sources" : "tests"

/** The twin of a file: `packages/core/src/a.ts` has `twins/core/src/a.ts`. */
const twinOf = (path: string): string | undefined => {
  const twin = join(edition, "twins", path.replace(/^packages\//, ""))
  return existsSync(twin) ? twin : undefined
}

const generate = (path: string): void => {
  const target = join(edition, path)
  const twin = twinOf(path)
  if (twin !== undefined) {
    twins++
    write(target, readFileSync(twin, "utf8"))
    return
  }
  const source = readFileSync(join(root, path), "utf8")
  if (!path.endsWith(".ts")) return write(target, source)
  let text = source
  for (const { by, of } of substitutions[path] ?? []) {
    if (!text.includes(of)) problems.push(`${path} has no text to be put another for: ${of}`)
    text = text.replaceAll(of, () => by)
  }
  const shims = relative(dirname(path), "codemod/shims")
  const rewritten = new Rewriter(text, path, placeOf(path), shims, excludedTests[path]).rewrite()
  problems.push(...rewritten.problems)
  write(target, rewritten.text)
}

for (const name of packages) {
  const folder = `packages/${name}`
  write(join(edition, folder, "package.json"), manifest(readFileSync(join(root, folder, "package.json"), "utf8")))
  for (const part of ["src", "test"]) {
    const files = new Set([
      ...filesIn(join(root, folder, part)),
      ...filesIn(join(edition, "twins", name, part))
    ])
    for (const file of files) {
      const path = `${folder}/${part}/${file}`
      if (!isExcluded(path)) generate(path)
    }
  }
}
for (const folder of shared) {
  for (const file of filesIn(join(root, folder))) {
    if (!isExcluded(`${folder}/${file}`)) generate(`${folder}/${file}`)
  }
}

for (const path of documents) write(join(edition, path), readFileSync(join(root, path), "utf8"))

// What is no longer made.
for (const folder of ["packages", "scripts", "docs"]) {
  for (const file of filesIn(join(edition, folder))) {
    const path = join(edition, folder, file)
    if (!written.has(path) && !/(^|\/)(dist|node_modules)\//.test(file)) rmSync(path)
  }
}

// As npm does for workspaces, of which the lock would have to know before they are there.
const links = join(edition, "node_modules/@patinox")
if (existsSync(dirname(links))) {
  mkdirSync(links, { recursive: true })
  for (const name of packages) {
    const link = join(links, name)
    if (!existsSync(link)) symlinkSync(`../../packages/${name}`, link, "dir")
  }
}

console.log([`effect4: ${written.size} files, ${twins} of them twins`, ...problems].join("\n"))
