/**
 * What an expression can say, as one text: `{name}` stands for a value, `[a | b]` for either, `[a]` for what may be left
 * out. Functions of the repository whose text has words of its own are read, too.
 */
import ts from "typescript"

/** What a function's parameters stand for where it is called. */
type Bound = ReadonlyMap<ts.Symbol, string>

const none: Bound = new Map()

/** Words of its own, not only those of placeholders. */
export const hasWords = (text: string): boolean => /\p{L}{2}/u.test(text.replace(/\{[^}]*\}/g, ""))

/** The alternatives of a text that is nothing but a choice. */
const alternativesOf = (text: string): ReadonlyArray<string> => {
  if (!text.startsWith("[") || !text.endsWith("]")) return [text]
  const found: Array<string> = []
  let depth = 0
  let start = 1
  for (let index = 0; index < text.length; index++) {
    if (text[index] === "[") depth++
    if (text[index] === "]" && --depth === 0 && index < text.length - 1) return [text]
    if (depth === 1 && text.startsWith(" | ", index)) {
      found.push(text.slice(start, index))
      start = index + 3
    }
  }
  // A choice of one and nothing.
  return found.length === 0 ? [text.slice(1, -1), ""] : [...found, text.slice(start, -1)]
}

const either = (texts: ReadonlyArray<string>): string => {
  const distinct = [...new Set(texts.flatMap(alternativesOf))]
  const filled = distinct.filter((text) => text !== "")
  if (filled.length === 0) return ""
  return distinct.length === 1 ? filled[0] : `[${filled.join(" | ")}]`
}

const nameOf = (name: string): string => name.replace(/Millis$/, "").replace(/^_/, "")

const placeholder = (name: string): string => `{${nameOf(name)}}`

/** What a chain of members and calls begins with, as `builds` in `builds.map(shown).join()`. */
const subjectOf = (node: ts.Expression): string => {
  if (ts.isCallExpression(node)) return subjectOf(node.expression)
  if (ts.isPropertyAccessExpression(node)) {
    const isStep = ["join", "map", "slice", "filter", "length"].includes(node.name.text)
    return isStep ? subjectOf(node.expression) : node.name.text
  }
  const first = ts.isArrayLiteralExpression(node) ? node.elements[0] : undefined
  if (first !== undefined) return subjectOf(ts.isSpreadElement(first) ? first.expression : first)
  return ts.isIdentifier(node) ? node.text : "values"
}

export class Wording {
  constructor(private readonly checker: ts.TypeChecker, private readonly isOurs: (file: string) => boolean) {}

  of(node: ts.Expression): string {
    return this.text(node, none, 0)
  }

  private text(node: ts.Expression, bound: Bound, depth: number): string {
    if (depth > 12) return "{…}"
    const next = (inner: ts.Expression) => this.text(inner, bound, depth + 1)
    if (ts.isStringLiteralLike(node)) return node.text
    if (ts.isTemplateExpression(node)) {
      return node.head.text + node.templateSpans.map((span) => next(span.expression) + span.literal.text).join("")
    }
    if (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isNonNullExpression(node)) {
      return next(node.expression)
    }
    if (ts.isConditionalExpression(node)) return either([next(node.whenTrue), next(node.whenFalse)])
    if (ts.isBinaryExpression(node)) {
      const { kind } = node.operatorToken
      if (kind === ts.SyntaxKind.MinusToken) return placeholder("elapsed")
      if (kind === ts.SyntaxKind.PlusToken) return next(node.left) + next(node.right)
      if (kind === ts.SyntaxKind.QuestionQuestionToken) return either([next(node.left), next(node.right)])
    }
    if (ts.isIdentifier(node)) return node.text === "undefined" ? "" : this.named(node, node.text, bound, depth)
    if (ts.isPropertyAccessExpression(node)) {
      if (node.name.text === "length") return placeholder(subjectOf(node))
      const isOwn = node.expression.kind === ts.SyntaxKind.ThisKeyword || this.isModule(node.expression)
      return isOwn ? this.named(node.name, node.name.text, bound, depth) : placeholder(node.name.text)
    }
    if (ts.isElementAccessExpression(node)) return this.entry(node, bound, depth)
    if (ts.isCallExpression(node)) return this.call(node, bound, depth)
    return placeholder("value")
  }

  private isModule(node: ts.Expression): boolean {
    return ((this.symbolOf(node)?.flags ?? 0) & ts.SymbolFlags.ValueModule) !== 0
  }

  private symbolOf(node: ts.Node): ts.Symbol | undefined {
    const symbol = this.checker.getSymbolAtLocation(node)
    return symbol !== undefined && (symbol.flags & ts.SymbolFlags.Alias) !== 0
      ? this.checker.getAliasedSymbol(symbol)
      : symbol
  }

  private named(node: ts.Node, name: string, bound: Bound, depth: number): string {
    const symbol = this.symbolOf(node)
    const given = symbol === undefined ? undefined : bound.get(symbol)
    if (given !== undefined) return given
    const declaration = symbol?.valueDeclaration
    if (declaration !== undefined && this.isOurs(declaration.getSourceFile().fileName)) {
      const text = ts.isVariableDeclaration(declaration) && ts.isIdentifier(declaration.name)
        ? declaration.initializer && this.text(declaration.initializer, bound, depth + 1)
        : ts.isGetAccessorDeclaration(declaration)
        ? this.returned(declaration, bound, depth)
        : undefined
      if (text !== undefined && hasWords(text)) return text
    }
    return placeholder(name)
  }

  /** One of the texts of a table, as `stages[this.stage]`. */
  private entry(node: ts.ElementAccessExpression, bound: Bound, depth: number): string {
    const declaration = this.symbolOf(node.expression)?.valueDeclaration
    const table = declaration !== undefined && ts.isVariableDeclaration(declaration)
      ? declaration.initializer
      : undefined
    const object = table !== undefined && ts.isAsExpression(table) ? table.expression : table
    if (object === undefined || !ts.isObjectLiteralExpression(object)) return placeholder("value")
    return either(
      object.properties.flatMap((property) =>
        ts.isPropertyAssignment(property) ? [this.text(property.initializer, bound, depth + 1)] : []
      )
    )
  }

  private call(node: ts.CallExpression, bound: Bound, depth: number): string {
    const { arguments: given, expression: callee } = node
    const name = callee.getText()
    const [first, second] = given
    if (name === "Option.match" && second !== undefined && ts.isObjectLiteralExpression(second)) {
      return either(
        second.properties.flatMap((property) =>
          ts.isPropertyAssignment(property) && ts.isFunctionLike(property.initializer)
            ? [this.returned(property.initializer, bound, depth)]
            : []
        )
      )
    }
    const declaration = this.checker.getResolvedSignature(node)?.declaration
    const module = declaration?.getSourceFile().fileName.split("/").at(-1)
    if (module === "Text.ts" && name.endsWith("count") && second !== undefined && ts.isStringLiteral(second)) {
      return `{n ${second.text}s}`
    }
    if (module === "Text.ts") return name.endsWith("resource") ? "{resource}" : this.argument(first, bound, depth)
    if (module === "CleanupReport.ts") return "{report}"
    const method = ts.isPropertyAccessExpression(callee) ? callee.name.text : ""
    if (method === "join" && ts.isPropertyAccessExpression(callee)) {
      const separator = first !== undefined && ts.isStringLiteral(first) ? first.text : ", "
      return this.list(callee.expression, bound, depth, separator) ?? placeholder(subjectOf(node))
    }
    if (["map", "slice", "filter"].includes(method)) return placeholder(subjectOf(node))
    if (declaration !== undefined && this.isOurs(declaration.getSourceFile().fileName)) {
      const inner = new Map(bound)
      declaration.parameters.forEach((parameter, index) => {
        const symbol = ts.isParameter(parameter) && ts.isIdentifier(parameter.name)
          ? this.symbolOf(parameter.name)
          : undefined
        if (symbol !== undefined && given[index] !== undefined) {
          inner.set(symbol, this.argument(given[index], bound, depth))
        }
      })
      const text = ts.isFunctionLike(declaration) ? this.returned(declaration, inner, depth) : ""
      if (hasWords(text)) return text
    }
    return this.argument(first ?? callee, bound, depth, callee)
  }

  /** What stands for an argument: its text if it has words, else a name. */
  private argument(node: ts.Expression | undefined, bound: Bound, depth: number, callee?: ts.Expression): string {
    if (node === undefined) return placeholder("value")
    if (ts.isCallExpression(node)) return this.call(node, bound, depth + 1)
    if (node.kind === ts.SyntaxKind.ThisKeyword || ts.isObjectLiteralExpression(node)) {
      const name = callee?.getText().split(".").at(-1)?.replace(/Of$/, "")
      return placeholder(name ?? "this")
    }
    return this.text(node, bound, depth + 1)
  }

  private list(node: ts.Expression, bound: Bound, depth: number, separator: string): string | undefined {
    if (!ts.isArrayLiteralExpression(node)) return undefined
    const parts = node.elements.map((element) => {
      if (!ts.isSpreadElement(element)) return this.text(element, bound, depth + 1)
      const inner = ts.isParenthesizedExpression(element.expression)
        ? element.expression.expression
        : element.expression
      if (ts.isCallExpression(inner) && inner.expression.getText().endsWith(".map")) {
        return placeholder(subjectOf(inner))
      }
      if (!ts.isConditionalExpression(inner)) return undefined
      const lists = [inner.whenTrue, inner.whenFalse].map((branch) => this.list(branch, bound, depth, separator))
      return lists.includes(undefined) ? undefined : either(lists as Array<string>)
    })
    return parts.includes(undefined) ? undefined : parts.join(separator)
  }

  /** The texts that a function returns, those of functions inside it left out. */
  returned(node: ts.SignatureDeclaration, bound: Bound = none, depth = 0): string {
    const body = "body" in node ? node.body as ts.ConciseBody | undefined : undefined
    if (body === undefined) return ""
    if (!ts.isBlock(body)) return this.text(body, bound, depth + 1)
    const texts: Array<string> = []
    const visit = (inner: ts.Node): void => {
      if (ts.isReturnStatement(inner) && inner.expression !== undefined) {
        texts.push(this.text(inner.expression, bound, depth + 1))
      }
      if (!ts.isFunctionLike(inner)) ts.forEachChild(inner, visit)
    }
    visit(body)
    return either(texts.filter((text) => text !== "{undefined}" && text !== "{value}"))
  }
}
