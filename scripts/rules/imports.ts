/** What may be imported where: STM in the queue, the insides of Effect in the seam, no package's inside elsewhere. */
import path from "node:path"
import ts from "typescript"
import { mayImport, roomOf } from "./layers.js"
import { isCleanupQueue, isPackageSource, isSeam, type Rule, type RuleFile, visit } from "./rule.js"

interface Import {
  readonly node: ts.Node
  readonly from: string
  /** The exported name, or undefined for the module as a whole. */
  readonly name: string | undefined
}

const importsOf = (source: ts.SourceFile): ReadonlyArray<Import> => {
  const found: Array<Import> = []
  const add = (node: ts.Node, from: ts.Node | undefined, names: ReadonlyArray<string>) => {
    if (from === undefined || !ts.isStringLiteralLike(from)) return
    found.push({ node, from: from.text, name: undefined })
    for (const name of names) found.push({ node, from: from.text, name })
  }
  const named = (elements: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier>) =>
    elements.map((element) => (element.propertyName ?? element.name).text)

  visit(source, (node) => {
    if (ts.isImportDeclaration(node)) {
      const bindings = node.importClause?.namedBindings
      add(node, node.moduleSpecifier, bindings && ts.isNamedImports(bindings) ? named(bindings.elements) : [])
    } else if (ts.isExportDeclaration(node)) {
      const clause = node.exportClause
      add(node, node.moduleSpecifier, clause && ts.isNamedExports(clause) ? named(clause.elements) : [])
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, node.qualifier ? [node.qualifier.getText().split(".")[0]] : [])
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], [])
    }
  })
  return found
}

/** `Ref` for both `import { Ref } from "effect"` and anything from `"effect/Ref"`. */
const effectModuleOf = ({ from, name }: Import): string | undefined =>
  from === "effect" ? name : name === undefined && from.startsWith("effect/") ? from.split("/").at(-1) : undefined

const reportModules = (file: RuleFile, forbidden: (module: string) => boolean, where: string) => {
  for (const entry of importsOf(file.source)) {
    const module = effectModuleOf(entry)
    if (module !== undefined && forbidden(module)) file.report(entry.node, `${module} is for ${where} only`)
  }
}

export const stmInQueue: Rule = {
  name: "stm-in-queue",
  appliesTo: (file) => isPackageSource(file) && !isCleanupQueue(file),
  check: (file) => reportModules(file, (name) => /^(STM|T[A-Z]\w+)$/.test(name), "internal/registry/CleanupQueue.ts")
}

export const insidesInSeam: Rule = {
  name: "insides-in-seam",
  appliesTo: (file) => isPackageSource(file) && !isSeam(file),
  check: (file) => {
    reportModules(file, (name) => ["FiberRef", "FiberRefs", "Runtime"].includes(name), "internal/effect3")
    for (const { name, node } of importsOf(file.source)) {
      if (name !== undefined && /^(unsafe[A-Z]\w*|withFiberRuntime)$/.test(name)) {
        file.report(node, `${name} is for internal/effect3 only`)
      }
    }
  }
}

const packageOf = (file: string) => /^packages\/[^/]+/.exec(file)?.[0]

export const noForeignInside: Rule = {
  name: "no-foreign-inside",
  appliesTo: () => true,
  check: (file) => {
    for (const { from, name, node } of importsOf(file.source)) {
      if (name !== undefined) continue
      const isDeep = /^@patinox\/[^/]+\/(internal|src|dist)(\/|$)/.test(from)
      const target = from.startsWith(".") ? path.posix.join(path.posix.dirname(file.path), from) : ""
      const owner = packageOf(target)
      const leavesPackage = owner !== undefined && owner !== packageOf(file.path)
      if (isDeep || leavesPackage) file.report(node, `${from} reaches inside another package`)
    }
  }
}

export const layersGoDown: Rule = {
  name: "layers-go-down",
  appliesTo: isPackageSource,
  check: (file) => {
    const from = roomOf(file.path)
    for (const statement of file.source.statements) {
      if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) continue
      const { moduleSpecifier: specifier } = statement
      if (specifier === undefined || !ts.isStringLiteral(specifier) || !specifier.text.startsWith(".")) continue
      const target = path.posix.join(path.posix.dirname(file.path), specifier.text).replace(/\.js$/, ".ts")
      const to = roomOf(target)
      if (!mayImport(from, to, onlyTypes(statement))) {
        file.report(statement, `${from.room} does not build on ${to.room}`)
      }
    }
  }
}

const onlyTypes = (statement: ts.ImportDeclaration | ts.ExportDeclaration): boolean => {
  if (ts.isExportDeclaration(statement)) {
    const { exportClause, isTypeOnly } = statement
    return isTypeOnly ||
      (exportClause !== undefined && ts.isNamedExports(exportClause) &&
        exportClause.elements.every((e) => e.isTypeOnly))
  }
  const clause = statement.importClause
  if (clause === undefined) return false
  const { isTypeOnly, namedBindings } = clause
  return isTypeOnly ||
    (namedBindings !== undefined && ts.isNamedImports(namedBindings) &&
      namedBindings.elements.every((e) => e.isTypeOnly))
}
