/**
 * Finds the documentation examples: fenced `ts` blocks of Markdown files and of JSDoc comments. A fence may say `test`
 * (a test file of vitest's), `no-run` (type-checked only) or `no-check` (left alone).
 */

export interface Example {
  readonly file: string
  /** Of the opening fence, from 1: the code begins on the next line. */
  readonly line: number
  readonly code: string
  readonly runs: boolean
  /** A test file, which vitest runs. */
  readonly isTest?: true
}

const openingFence = /^(\s*)(`{3,})(\S*)\s*(.*)$/

const fences = (file: string, lines: ReadonlyArray<string>): ReadonlyArray<Example> => {
  const found: Array<Example> = []
  for (let start = 0; start < lines.length; start++) {
    const [, indent, ticks, language, tags] = openingFence.exec(lines[start]) ?? []
    if (ticks === undefined) continue
    const length = lines.slice(start + 1).findIndex((line) => line.trim() === ticks)
    if (length === -1) throw new Error(`${file}:${start + 1}: the fence is never closed`)
    const words = tags.split(/\s+/)
    if (language === "ts" && !words.includes("no-check")) {
      const body = lines.slice(start + 1, start + 1 + length)
      const code = body.map((line) => line.startsWith(indent) ? line.slice(indent.length) : line.trimStart()).join("\n")
      const isTest = words.includes("test") ? { isTest: true as const } : {}
      found.push({ file, line: start + 1, code, runs: !words.includes("no-run"), ...isTest })
    }
    start += length + 1
  }
  return found
}

/** The file with all but the text of its JSDoc comments blanked, so that lines keep their numbers. */
const docComments = (file: string, text: string): ReadonlyArray<string> => {
  let isInside = false
  let isFenced = false
  let awaitsFence = false
  return text.split("\n").map((line, index) => {
    const opens = !isInside && /^\s*\/\*\*/.test(line)
    if (!isInside && !opens) return ""
    isInside = !line.includes("*/")
    const content = line.replace(/^\s*(\/\*\*|\*(?!\/)) ?/, "").replace(/\s*\*\/.*$/, "")
    if (content.startsWith("```")) {
      isFenced = !isFenced
      awaitsFence = false
    } else if (!isFenced && awaitsFence && (content.trim() !== "" || !isInside)) {
      throw new Error(`${file}:${index + 1}: @example needs a \`\`\`ts fence`)
    }
    if (!isFenced && /^@example\b/.test(content)) awaitsFence = true
    return content
  })
}

export const examplesOf = (file: string, text: string): ReadonlyArray<Example> =>
  fences(file, file.endsWith(".md") ? text.split("\n") : docComments(file, text))
