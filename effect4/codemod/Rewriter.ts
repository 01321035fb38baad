/**
 * One source file for Effect 3 into one for Effect 4. What is called what is in the tables; what a table cannot say is a
 * rewrite of a call. Imports are written anew from what the result uses. It knows syntax and no types: a table entry says
 * what holds wherever its name occurs.
 */
import ts from "typescript"
import { Edits } from "./Edits.js"
import { callRewrites, methodRewrites, objectRewrite, testRewrites, typeRewrites } from "./rewrites.js"
import { absentInSources, inTests, members, moduleNames, moduleSources, properties, shimModules } from "./table.js"

/** A library is made of its `sources`; in `tests` what is absent may be taken from the shims. */
export type Place = "sources" | "tests"

export interface Rewritten {
  readonly text: string
  /** What the tables do not know, one line each. */
  readonly problems: ReadonlyArray<string>
}

/** A name that the file has from a module of Effect's. */
interface Known {
  /** What it is called there. */
  readonly name: string
  readonly from: string
}

/** What a table says, and nothing that every object has. */
const entry = <A>(table: Readonly<Record<string, A>>, key: string | undefined): A | undefined =>
  key !== undefined && Object.hasOwn(table, key) ? table[key] : undefined

const isEffectModule = (from: string): boolean => from === "effect" || from === "effect/testing"

export class Rewriter {
  readonly edits: Edits
  readonly problems: Array<string> = []
  private readonly met = new Set<string>()
  private readonly file: ts.SourceFile
  /** The members of an Either are those of a Result then. */
  private readonly usesEither: boolean
  /** By what it is called here. */
  private readonly known = new Map<string, Known>()
  /** What other names the file declares. */
  private readonly declared = new Set<string>()

  constructor(
    source: string,
    private readonly path: string,
    readonly place: Place,
    /** Where the shims are, as this file imports them. */
    private readonly shims: string,
    private readonly excluded?: Readonly<Record<string, string>>
  ) {
    this.edits = new Edits(source)
    this.usesEither = place === "tests" && /Effect\.either\b/.test(source)
    this.file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true)
  }

  rewrite(): Rewritten {
    for (const statement of this.file.statements) if (ts.isImportDeclaration(statement)) this.readImport(statement)
    this.readDeclared(this.file)
    this.visit(this.file)
    for (const title of Object.keys(this.excluded ?? {})) {
      if (!this.met.has(title)) this.problems.push(`${this.path} has no test "${title}" that could be left out`)
    }
    const text = this.edits.apply()
    return { text: this.known.size === 0 ? text : this.withImports(text), problems: this.problems }
  }

  /** What a node has become. */
  text(node: ts.Node): string {
    return this.edits.apply(node.getStart(this.file), node.end)
  }

  texts(nodes: ReadonlyArray<ts.Node> | undefined): ReadonlyArray<string> {
    return (nodes ?? []).map((node) => this.text(node))
  }

  replace(node: ts.Node, text: string): void {
    this.edits.replace(node.getStart(this.file), node.end, text)
  }

  /** What a module of Effect 4's is called here; it is imported where it is used. */
  module(name: string): string {
    for (const [local, known] of this.known) if (known.name === name) return local
    const local = this.declared.has(name) ? `Effect${name}` : name
    this.known.set(local, { name, from: this.sourceOf(name) })
    return local
  }

  /** A function of the shims. */
  shim(name: string, node: ts.Node): string {
    if (this.place === "sources") this.problem(node, `the shim ${name} is for tests`)
    return `${this.module("Compat")}.${name}`
  }

  problem(node: ts.Node, what: string): void {
    const { line } = this.file.getLineAndCharacterOfPosition(node.getStart(this.file))
    this.problems.push(`${this.path}:${line + 1} ${what}`)
  }

  /** `Module.member`, where that is what an expression or a name of a type is. */
  key(node: ts.Node): string | undefined {
    const [left, right] = ts.isPropertyAccessExpression(node)
      ? [node.expression, node.name]
      : ts.isQualifiedName(node)
      ? [node.left, node.right]
      : []
    if (left === undefined || right === undefined || !ts.isIdentifier(left)) return undefined
    const known = this.known.get(left.text)
    return known === undefined ? undefined : `${known.name}.${right.text}`
  }

  /** Its new name, for a key of the table. */
  renamed(key: string, node: ts.Node): string {
    const target = this.target(key) ?? key
    if (!/^[A-Z]\w*\.\w+(\(\))?$/.test(target)) return target
    const [name, member] = target.split(".") as [string, string]
    if (name === "Compat") return this.shim(member, node)
    if (name === "Sleeps") return `${this.module("Sleeps")}.${member}`
    return `${this.module(moduleNames[name] ?? name)}.${member}`
  }

  private target(key: string): string | undefined {
    return (this.place === "tests" ? entry(inTests, key) : undefined) ?? entry(members, key)
  }

  private sourceOf(name: string): string {
    if (name === "Compat") return `${this.shims}/Compat.js`
    if (this.place === "tests" && shimModules.has(name)) return `${this.shims}/${name}.js`
    return moduleSources[name] ?? "effect"
  }

  private readImport({ importClause, moduleSpecifier }: ts.ImportDeclaration): void {
    const bindings = importClause?.namedBindings
    if (!ts.isStringLiteral(moduleSpecifier) || !isEffectModule(moduleSpecifier.text) || bindings === undefined) return
    if (!ts.isNamedImports(bindings)) return
    for (const { name, propertyName } of bindings.elements) {
      const imported = (propertyName ?? name).text
      const renamed = moduleNames[imported] ?? imported
      // Called what it was, unless it was called by its name.
      this.known.set(name.text, { name: imported, from: this.sourceOf(renamed) })
    }
  }

  private readDeclared(node: ts.Node): void {
    const named = node as { readonly name?: ts.Node }
    if (
      named.name !== undefined && ts.isIdentifier(named.name) && !ts.isPropertyAccessExpression(node) &&
      !ts.isPropertySignature(node) && !ts.isPropertyAssignment(node) && !this.known.has(named.name.text)
    ) this.declared.add(named.name.text)
    ts.forEachChild(node, (child) => this.readDeclared(child))
  }

  private visit(node: ts.Node): void {
    if (ts.isImportDeclaration(node)) return
    if (ts.isExpressionStatement(node) && this.isExcluded(node)) return this.replace(node, "")
    if (ts.isExportDeclaration(node)) return this.reexport(node)
    ts.forEachChild(node, (child) => this.visit(child))
    if (ts.isCallExpression(node)) this.call(node)
    else if (ts.isExpressionWithTypeArguments(node)) this.heritage(node)
    else if (ts.isObjectLiteralExpression(node)) this.object(node)
    else if (ts.isTypeReferenceNode(node)) this.typeReference(node)
    else if (ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)) this.program(node)
    else if (ts.isPropertyAccessExpression(node) && this.place === "tests" && isCountOfFinalizers(node)) {
      const scope =
        ((node.expression as ts.PropertyAccessExpression).expression as ts.PropertyAccessExpression).expression
      this.replace(node, `${this.shim("finalizerCount", node)}(${this.text(scope)})`)
    } else if (ts.isPropertyAccessExpression(node) && this.usesEither && node.name.text in ofEither) {
      this.replace(node, `${this.text(node.expression)}.${ofEither[node.name.text]}`)
    } else if (ts.isStringLiteral(node) && this.usesEither && node.text.toLowerCase() in ofEither) {
      this.replace(node, node.text === "Left" ? `"Failure"` : `"Success"`)
    } else if (ts.isPropertyAccessExpression(node) && isIdOfId(node)) this.replace(node, this.text(node.expression))
    else if (ts.isPropertyAccessExpression(node) || ts.isQualifiedName(node)) this.access(node)
    else if (ts.isIdentifier(node)) this.property(node)
  }

  /** A test or a group of tests that is not for Effect 4. */
  private isExcluded({ expression }: ts.ExpressionStatement): boolean {
    if (this.excluded === undefined || !ts.isCallExpression(expression)) return false
    const [title] = expression.arguments
    if (title === undefined || !ts.isStringLiteralLike(title) && !ts.isTemplateExpression(title)) return false
    const text = ts.isStringLiteralLike(title) ? title.text : title.getText(this.file).slice(1, -1)
    if (!Object.hasOwn(this.excluded, text)) return false
    this.met.add(text)
    return true
  }

  /** `export { TestClock } from "effect"` */
  private reexport({ exportClause, moduleSpecifier }: ts.ExportDeclaration): void {
    if (moduleSpecifier === undefined || exportClause === undefined || !ts.isNamedExports(exportClause)) return
    if (!ts.isStringLiteral(moduleSpecifier) || !isEffectModule(moduleSpecifier.text)) return
    const [first] = exportClause.elements
    if (first !== undefined) this.replace(moduleSpecifier, `"${this.sourceOf(first.name.text)}"`)
  }

  /** The text of a program that a test runs in a process of its own, in the folder of the edition. */
  private program(node: ts.TemplateLiteral): void {
    const text = node.getText(this.file)
    // What is put into a text is code of the test's own.
    const literal = ts.isTemplateExpression(node)
      ? [node.head, ...node.templateSpans.map((span) => span.literal)].map((part) => part.text).join("")
      : text
    if (this.place !== "tests" || !/\b(Effect|Layer|Scope)\.\w+\(|from "effect"/.test(literal)) return
    // A part of a program whose imports are elsewhere has those that it may have.
    const isPart = !text.includes(`from "effect"`)
    const imports = isPart ? `import { Effect, Layer, Scope } from "effect"\n` : ""
    const inner = new Rewriter(imports + text.slice(1, -1), this.path, "tests", "./codemod/shims").rewrite()
    this.replace(node, `\`${isPart ? inner.text.slice(inner.text.indexOf("\n") + 1) : inner.text}\``)
  }

  private call(node: ts.CallExpression): void {
    // `Context.Tag(id)<Self, Shape>()` is a call of what a call gave.
    const inner = ts.isCallExpression(node.expression) ? node.expression.expression : undefined
    const curried = inner && this.key(inner)
    const key = this.key(node.expression)
    const test = this.place === "tests" ? entry(testRewrites, node.expression.getText(this.file)) : undefined
    if (test !== undefined) return this.replace(node, test(this, node)!)
    const rewrite = entry(callRewrites, curried === undefined ? key : `${curried}()`)
    const text = rewrite === undefined ? this.method(node) : rewrite(this, node)
    if (text !== undefined) this.replace(node, text)
  }

  /** A method of a value's that has another shape, by its name alone. */
  private method({ arguments: all, expression }: ts.CallExpression): string | undefined {
    return ts.isPropertyAccessExpression(expression)
      ? entry(methodRewrites, `${expression.name.text}/${all.length}`)?.(this, expression)
      : undefined
  }

  /** `extends Request.TaggedClass(tag)<Success, Error, Fields>` begins with the fields. */
  private heritage({ expression, typeArguments }: ts.ExpressionWithTypeArguments): void {
    if (!ts.isCallExpression(expression) || this.key(expression.expression) !== "Request.TaggedClass") return
    const [success, error, fields] = typeArguments ?? []
    if (success === undefined || error === undefined || fields === undefined) return
    this.edits.replace(success.pos, fields.end, [fields, success, error].map((type) => this.text(type)).join(", "))
  }

  private object(node: ts.ObjectLiteralExpression): void {
    const text = objectRewrite(this, node)
    if (text !== undefined) this.replace(node, text)
  }

  private typeReference(node: ts.TypeReferenceNode): void {
    const { typeName } = node
    // `Scope.Scope.Finalizer`
    const outer = ts.isQualifiedName(typeName) ? this.key(typeName.left) : undefined
    const key = outer === undefined ? this.key(typeName) : `${outer}.${(typeName as ts.QualifiedName).right.text}`
    const text = entry(typeRewrites, key)?.(this, node)
    if (text !== undefined) this.replace(node, text)
  }

  private access(node: ts.PropertyAccessExpression | ts.QualifiedName): void {
    const key = this.key(node)
    if (key === undefined) return
    const name = key.slice(0, key.indexOf("."))
    const member = key.slice(name.length + 1)
    const target = this.target(key)
    if (target !== undefined) this.replace(node, this.renamed(key, node))
    else if (moduleNames[name] !== undefined) this.replace(node, `${this.module(moduleNames[name]!)}.${member}`)
  }

  /** A member that is called otherwise in whatever has it: nothing else has such a name. */
  private property(node: ts.Identifier): void {
    const name = entry(properties, node.text)
    const { parent } = node
    if (name === undefined || (!("name" in parent) && !ts.isShorthandPropertyAssignment(parent))) return
    if (ts.isPropertyAccessExpression(parent) && this.key(parent) !== undefined) return
    if ((parent as { readonly name?: ts.Node }).name === node) this.replace(node, name)
  }

  /** The imports from Effect, by what the text uses: in place of the first, where that was. */
  private withImports(text: string): string {
    const file = ts.createSourceFile(this.path, text, ts.ScriptTarget.Latest, true)
    const counts = this.place === "tests" && text.includes("Sleeps.sleeps")
    const used = new Map<string, "type" | "value">()
    const collect = (node: ts.Node, isType: boolean): void => {
      if (ts.isImportDeclaration(node)) return
      if (ts.isIdentifier(node) && this.known.has(node.text) && !isMemberName(node)) {
        if (!isType) used.set(node.text, "value")
        else if (!used.has(node.text)) used.set(node.text, "type")
      }
      const isTypeHere = isType || ts.isTypeNode(node) && !ts.isExpressionWithTypeArguments(node) ||
        ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)
      ts.forEachChild(node, (child) => collect(child, isTypeHere))
    }
    collect(file, false)

    for (const local of used.keys()) {
      const { name } = this.known.get(local)!
      if (this.place === "sources" && absentInSources.has(name)) {
        this.problems.push(`${this.path} ${name} is absent in Effect 4`)
      }
    }
    const byModule = new Map<string, Array<string>>()
    for (const local of [...used.keys()].sort((a, b) => a.toLowerCase() < b.toLowerCase() ? -1 : 1)) {
      const { from, name } = this.known.get(local)!
      const specifier = (used.get(local) === "type" ? "type " : "") + (local === name ? name : `${name} as ${local}`)
      byModule.set(from, [...byModule.get(from) ?? [], specifier])
    }
    const lines = [...byModule].map(([from, specifiers]) =>
      from.startsWith(this.shims)
        ? specifiers.map((specifier) => {
          const [name, local] = specifier.replace("type ", "").split(" as ") as [string, string?]
          return `import ${specifier.startsWith("type ") ? "type " : ""}* as ${local ?? name} from "${from}"`
        }).join("\n")
        : `import { ${specifiers.join(", ")} } from "${from}"`
    )

    const edits = new Edits(text)
    if (counts) {
      const statement = file.statements.find((each) =>
        ts.isImportDeclaration(each) && each.moduleSpecifier.getText(file) === `"@effect/vitest"`
      ) as ts.ImportDeclaration | undefined
      const bindings = statement?.importClause?.namedBindings
      if (bindings !== undefined && ts.isNamedImports(bindings)) {
        const others = bindings.elements.map((each) => each.getText(file)).filter((name) => name !== "it")
        edits.replace(bindings.getStart(file), bindings.end, `{ ${others.join(", ")} }`)
        lines.push(`import { it } from "${this.shims}/Sleeps.js"`)
      }
    }
    let isWritten = false
    for (const statement of file.statements) {
      if (!ts.isImportDeclaration(statement) || !ts.isStringLiteral(statement.moduleSpecifier)) continue
      if (!isEffectModule(statement.moduleSpecifier.text) || statement.importClause?.namedBindings === undefined) {
        continue
      }
      if (!ts.isNamedImports(statement.importClause.namedBindings)) continue
      const start = statement.getStart(file)
      const end = text[statement.end] === "\n" && isWritten ? statement.end + 1 : statement.end
      const ending = text[statement.end - 1] === ";" ? ";" : ""
      edits.replace(start, end, isWritten ? "" : lines.join("\n") + ending)
      isWritten = true
    }
    if (!isWritten && lines.length > 0) {
      const first = file.statements.find(ts.isImportDeclaration) ?? file.statements[0]
      const at = first?.getStart(file) ?? 0
      edits.replace(at, at, lines.join("\n") + "\n")
    }
    return edits.apply()
  }
}

/** Whether an identifier names a member, and refers to nothing by itself. */
const isMemberName = (node: ts.Identifier): boolean => {
  const { parent } = node
  return ts.isPropertyAccessExpression(parent) && parent.name === node ||
    ts.isQualifiedName(parent) && parent.right === node ||
    ts.isPropertyAssignment(parent) && parent.name === node ||
    ts.isPropertySignature(parent) && parent.name === node ||
    ts.isPropertyDeclaration(parent) && parent.name === node ||
    ts.isMethodDeclaration(parent) && parent.name === node ||
    ts.isMethodSignature(parent) && parent.name === node ||
    ts.isExportSpecifier(parent)
}

/** `fiber.id().id`, of which the first is the number itself. */
const isIdOfId = ({ expression, name }: ts.PropertyAccessExpression): boolean =>
  name.text === "id" && ts.isCallExpression(expression) && expression.arguments.length === 0 &&
  ts.isPropertyAccessExpression(expression.expression) && expression.expression.name.text === "id"

const ofEither: Readonly<Record<string, string>> = { left: "failure", right: "success" }

/** `scope.state.finalizers.size` */
const isCountOfFinalizers = ({ expression, name }: ts.PropertyAccessExpression): boolean =>
  name.text === "size" && ts.isPropertyAccessExpression(expression) && expression.name.text === "finalizers" &&
  ts.isPropertyAccessExpression(expression.expression) && expression.expression.name.text === "state"
