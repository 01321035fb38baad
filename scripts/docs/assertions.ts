/**
 * Turns the `// =>` comments of an example into assertions. On the line of a `console.log` or `Console.log` it is what
 * that call logs, else the value of the statement that ends there. Nothing after `=>`: the comment lines below.
 */
import ts from "typescript"

export interface Expectation {
  readonly line: number
  readonly text: string
}

export interface Instrumented {
  /** Line for line as the example, with each asserted expression handed to `$doc`. */
  readonly code: string
  readonly expectations: ReadonlyArray<Expectation>
}

type Method = "effect" | "log" | "value"

interface Target {
  readonly node: ts.Expression
  readonly method: Method
}

const logMethods: Readonly<Record<string, Method>> = { "console.log": "log", "Console.log": "effect" }

const targetOf = (source: ts.SourceFile, comment: number): Target | undefined => {
  const lineOf = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const line = lineOf(comment)
  let log: Target | undefined
  let value: Target | undefined
  const visit = (node: ts.Node): void => {
    const rest = source.text.slice(node.end, comment)
    if (node.end <= comment && lineOf(node.end) === line) {
      if (ts.isCallExpression(node) && /^[\s,;)\]}]*$/.test(rest)) {
        const method = logMethods[node.expression.getText(source)]
        if (method !== undefined) log = { node: node.expression, method }
      }
      if (/^[\s;]*$/.test(rest)) {
        const hasValue = ts.isExpressionStatement(node) || ts.isVariableDeclaration(node) || ts.isReturnStatement(node)
        const expression = !hasValue ? undefined : ts.isVariableDeclaration(node) ? node.initializer : node.expression
        if (expression !== undefined) value = { node: expression, method: "value" }
      }
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return log ?? value
}

const textOf = (lines: ReadonlyArray<string>, line: number, text: string): string => {
  if (text.trim() !== "") return text
  const below = lines.slice(line + 1)
  const end = below.findIndex((line) => !/^\s*\/\//.test(line))
  return below.slice(0, end === -1 ? below.length : end).map((line) => line.replace(/^\s*\/\/ ?/, "")).join("\n")
}

export const instrument = (code: string): Instrumented => {
  const source = ts.createSourceFile("example.ts", code, ts.ScriptTarget.Latest, true)
  const lines = code.split("\n")
  const expectations: Array<Expectation> = []
  const edits: Array<{ readonly start: number; readonly end: number; readonly text: string }> = []

  lines.forEach((text, line) => {
    const match = /\/\/ =>(.*)$/.exec(text)
    if (match === null) return
    const target = targetOf(source, source.getPositionOfLineAndCharacter(line, match.index))
    if (target === undefined) throw new Error(`line ${line + 1}: \`// =>\` follows nothing that has a value`)
    const call = `$doc.${target.method}(${expectations.length})`
    expectations.push({ line: line + 1, text: textOf(lines, line, match[1]) })
    const start = target.node.getStart(source)
    const { end } = target.node
    if (target.method === "value") edits.push({ start, end: start, text: `${call}(` }, { start: end, end, text: ")" })
    else edits.push({ start, end, text: call })
  })

  const instrumented = edits.sort((a, b) => b.start - a.start).reduce(
    (text, edit) => text.slice(0, edit.start) + edit.text + text.slice(edit.end),
    code
  )
  return { code: instrumented, expectations }
}
