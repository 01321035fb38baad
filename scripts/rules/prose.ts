/** What of a file a reader reads as English: comments and texts of a source, a document outside of its code. */
import ts from "typescript"

/** Stands where code was, so that no phrase reaches across it. */
const code = "\u0000"

const blank = (text: string): string => text.replace(/\S/g, code)

/** As long as the text, with its lines; inline code is no prose. */
const withoutInlineCode = (text: string): string => text.replace(/`[^`\n]*`/g, blank)

export const proseOfDocument = (text: string): string => {
  let isFenced = false
  const lines = text.split("\n").map((line) => {
    const isFence = /^\s*(?:```|~~~)/.test(line)
    if (isFence) isFenced = !isFenced
    // A link's target is no prose.
    return isFenced || isFence ? blank(line) : withoutInlineCode(line).replace(/\]\([^)\s]*\)/g, blank)
  })
  return lines.join("\n")
}

const proseOfComment = (text: string): string =>
  withoutInlineCode(
    proseOfDocument(text.replace(/^(\s*)(\/\*\*?|\*\/|\*|\/\/+)/gm, (mark) => mark.replace(/\S/g, " ")))
  )

const isModuleName = (node: ts.Node): boolean =>
  ts.isImportDeclaration(node.parent) || ts.isExportDeclaration(node.parent) || ts.isLiteralTypeNode(node.parent)

/** The text with its code blanked: what is left of it stands where it stood. */
export const proseOfSource = (file: string, text: string): string => {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
  const parts: Array<string> = []
  let done = 0
  const take = (start: number, end: number, prose: boolean): void => {
    if (start > done) parts.push(blank(text.slice(done, start)))
    const part = text.slice(start, end)
    parts.push(prose ? proseOfComment(part) : part)
    done = end
  }
  const visit = (node: ts.Node): void => {
    if (node.kind >= ts.SyntaxKind.FirstJSDocNode && node.kind <= ts.SyntaxKind.LastJSDocNode) return
    const children = node.getChildren(source)
    for (const child of children) visit(child)
    if (children.length > 0) return
    const start = node.getStart(source)
    if (start > node.pos) take(node.pos, start, true)
    const isText = ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)
    if (isText && !isModuleName(node)) take(start + 1, Math.max(start + 1, node.end - 1), false)
  }
  visit(source)
  parts.push(blank(text.slice(done)))
  return parts.join("")
}
