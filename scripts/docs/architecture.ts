/** Reads the index of ARCHITECTURE.md: a table `component | file | tests` with its paths as code or links. */

interface IndexRow {
  readonly line: number
  readonly files: ReadonlyArray<string>
  readonly tests: ReadonlyArray<string>
}

const cellsOf = (line: string) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim())

const pathsIn = (cell = ""): ReadonlyArray<string> => {
  const links = [...cell.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target]) => target.replace(/^\.\//, ""))
  const code = [...cell.replace(/\[[^\]]*\]\([^)]*\)/g, "").matchAll(/`([^`]+)`/g)].map(([, text]) => text)
  return [...links, ...code]
}

const indexOf = (text: string): ReadonlyArray<IndexRow> => {
  const lines = text.split("\n")
  const header = lines.findIndex((line) =>
    cellsOf(line).map((cell) => cell.toLowerCase()).join() === "component,file,tests"
  )
  if (header === -1) return []
  const rows = lines.slice(header + 2)
  const end = rows.findIndex((line) => !line.trim().startsWith("|"))
  return rows.slice(0, end === -1 ? rows.length : end).map((line, index) => {
    const [, file, tests] = cellsOf(line)
    return { line: header + 3 + index, files: pathsIn(file), tests: pathsIn(tests) }
  })
}

/** What is wrong with the index, given the sources it must list and the files there are. `*` stands in for a name. */
export const indexProblems = (
  text: string,
  sources: ReadonlyArray<string>,
  files: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const rows = indexOf(text)
  const matches = (pattern: string) => {
    const expression = new RegExp(
      `^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*")}$`
    )
    return files.some((file) => expression.test(file))
  }
  const listed = new Set(rows.flatMap(({ files }) => files))
  return [
    ...rows.flatMap(({ files, line, tests }) => [
      ...(files.length === 0 ? [`line ${line} names no file`] : []),
      ...[...files, ...tests].filter((file) => !matches(file)).map((file) => `line ${line}: ${file} does not exist`)
    ]),
    ...sources.filter((file) => !file.endsWith("/index.ts") && !listed.has(file)).map((file) => `${file} is not listed`)
  ]
}
