import ts from "typescript"

export interface Finding {
  readonly rule: string
  /** Relative to the repository, with forward slashes. */
  readonly file: string
  readonly line: number
  readonly message: string
}

export interface RuleFile {
  readonly path: string
  readonly source: ts.SourceFile
  readonly checker: ts.TypeChecker
  readonly report: (node: ts.Node, message: string) => void
}

export interface Rule {
  readonly name: string
  readonly appliesTo: (path: string) => boolean
  readonly check: (file: RuleFile) => void
}

export const isPackageSource = (path: string) => /^packages\/[^/]+\/src\//.test(path)
/** Where the insides of Effect are used: what an edition for another major rewrites. */
export const isSeam = (path: string) => /^packages\/[^/]+\/src\/internal\/(Seam\.ts|effect3\/[^/]+\.ts)$/.test(path)
export const isCleanupQueue = (path: string) =>
  /^packages\/[^/]+\/src\/internal\/registry\/CleanupQueue\.ts$/.test(path)

export const visit = (node: ts.Node, f: (node: ts.Node) => void): void => {
  f(node)
  ts.forEachChild(node, (child) => visit(child, f))
}

/** The name and object of `object.name` and `object["name"]`. */
export const memberOf = (node: ts.Node): { readonly object: ts.Expression; readonly name: string } | undefined => {
  if (ts.isPropertyAccessExpression(node)) return { object: node.expression, name: node.name.text }
  if (ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)) {
    return { object: node.expression, name: node.argumentExpression.text }
  }
  return undefined
}
