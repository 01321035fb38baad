/** Whether the tests know each source: one imports it, or says its name. */
import path from "node:path"

/** The sources that no test knows, given the text of each test by its path. An internal one is for its own package's. */
export const unknownSources = (
  sources: ReadonlyArray<string>,
  tests: Readonly<Record<string, string>>
): ReadonlyArray<string> => {
  const everywhere = new Set<string>()
  const inPackage = new Map<string, Set<string>>()
  for (const [file, text] of Object.entries(tests)) {
    const known = inPackage.get(packageOf(file)) ?? new Set<string>()
    inPackage.set(packageOf(file), known)
    for (const word of text.match(/\w+/g) ?? []) {
      known.add(word)
      everywhere.add(word)
    }
  }
  return sources.filter((file) => {
    const known = file.includes("/internal/") ? inPackage.get(packageOf(file)) : everywhere
    return !file.endsWith("/index.ts") && known?.has(path.posix.basename(file, ".ts")) !== true
  })
}

const packageOf = (file: string): string => /^packages\/[^/]+/.exec(file)?.[0] ?? ""
