/** Every error message and every log line that the packages can write, read from their sources. */
import path from "node:path"
import ts from "typescript"
import { root, sources } from "./repository.js"
import { hasWords, Wording } from "./wording.js"

export interface Message {
  /** `core/CleanupTimeout` for an error's own message, else `core/CleanupLog.slow`: class or module, member; `#2` for its second. */
  readonly key: string
  readonly package: string
  readonly file: string
  readonly kind: "error" | "log"
  /** The class of the error, or the level of the log line. */
  readonly label: string
  readonly text: string
}

export interface Explanation {
  readonly when: string
  readonly action: string
}

const levels: Readonly<Record<string, string>> = {
  log: "info",
  logDebug: "debug",
  logError: "error",
  logFatal: "fatal",
  logInfo: "info",
  logTrace: "trace",
  logWarning: "warning"
}

/** A call that writes its argument `text`, at `level` or at the level given as the argument `levelAt`. */
interface Sink {
  readonly textAt: number
  readonly level: string | undefined
  readonly levelAt: number | undefined
}

const packageOf = (file: string): string => /^packages\/([^/]+)/.exec(file)?.[1] ?? ""

const isError = (name: string): boolean => /^(\w+\.)*\w*Error$/.test(name)

/** The class and member around a node; for a function outside of classes its module and name. */
const placeOf = (node: ts.Node, file: string): string => {
  let member: string | undefined
  let outermost: string | undefined
  for (let each = node; !ts.isSourceFile(each); each = each.parent) {
    if (ts.isClassDeclaration(each) && each.name !== undefined) return `${each.name.text}.${member ?? "constructor"}`
    if (ts.isClassElement(each) && each.name !== undefined) member = each.name.getText().replace(/^#/, "")
    if (ts.isFunctionDeclaration(each) || (ts.isVariableDeclaration(each) && ts.isIdentifier(each.name))) {
      outermost = each.name?.getText()
    }
  }
  return `${path.posix.basename(file, ".ts")}.${outermost ?? "module"}`
}

export const readMessages = (
  files: ReadonlyArray<string> = sources,
  overlay: Readonly<Record<string, string>> = {}
): ReadonlyArray<Message> => {
  const { config } = ts.readConfigFile(path.join(root, "tsconfig.base.json"), ts.sys.readFile)
  const options = { ...ts.convertCompilerOptionsFromJson(config.compilerOptions, root).options, noEmit: true }
  const host = ts.createCompilerHost(options, true)
  const { fileExists, readFile } = host
  const relative = (file: string) => path.relative(root, file).split(path.sep).join("/")
  host.fileExists = (file) => overlay[relative(file)] !== undefined || fileExists(file)
  host.readFile = (file) => overlay[relative(file)] ?? readFile(file)
  host.getSourceFile = (file, version) => {
    const text = host.readFile(file)
    return text === undefined ? undefined : ts.createSourceFile(file, text, version, true)
  }
  const program = ts.createProgram(files.map((file) => path.join(root, file)), options, host)
  const checker = program.getTypeChecker()
  const ours = new Set(files.map((file) => path.join(root, file)))
  const wording = new Wording(checker, (file) => ours.has(path.normalize(file)))

  const parsed = files.map((file) => ({ file, source: program.getSourceFile(path.join(root, file))! }))
  const calls = parsed.flatMap(({ file, source }) => {
    const found: Array<{ readonly file: string; readonly node: ts.CallExpression }> = []
    const visit = (node: ts.Node): void => {
      if (ts.isCallExpression(node)) found.push({ file, node })
      ts.forEachChild(node, visit)
    }
    visit(source)
    return found
  })

  const sinks = new Map<ts.Node, Sink>()
  const sinkOf = (node: ts.CallExpression): Sink | undefined => {
    const name = node.expression.getText()
    if (name === "Effect.logWithLevel") return { textAt: 1, level: undefined, levelAt: 0 }
    if (name === "Stdio.writeNow") return { textAt: 0, level: "standard error", levelAt: undefined }
    const level = name.startsWith("Effect.") ? levels[name.slice("Effect.".length)] : undefined
    if (level !== undefined) return { textAt: 0, level, levelAt: undefined }
    const declaration = checker.getResolvedSignature(node)?.declaration
    return declaration === undefined ? undefined : sinks.get(declaration)
  }

  /** Where a parameter of the function around it is what is written, that function is a sink itself. */
  const parameterOf = (node: ts.Expression): { readonly at: number; readonly owner: ts.Node } | undefined => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined
    const declaration = symbol?.valueDeclaration
    if (declaration === undefined || !ts.isParameter(declaration)) return undefined
    return { at: declaration.parent.parameters.indexOf(declaration), owner: declaration.parent }
  }
  /** Written where the function around it is called, and listed there. */
  const isPassedOn = (node: ts.Expression): boolean =>
    parameterOf(node) !== undefined || (ts.isConditionalExpression(node) && !hasWords(wording.of(node)))

  for (let known = -1; known !== sinks.size;) {
    known = sinks.size
    for (const { node } of calls) {
      const sink = sinkOf(node)
      const text = sink === undefined ? undefined : node.arguments[sink.textAt]
      const parameter = sink === undefined || text === undefined || !ts.isIdentifier(text)
        ? undefined
        : parameterOf(text)
      if (sink === undefined || parameter === undefined) continue
      const given = sink.levelAt === undefined ? undefined : node.arguments[sink.levelAt]
      const levelParameter = given === undefined ? undefined : parameterOf(given)
      const level = sink.level ?? (levelParameter === undefined ? given?.getText() : undefined)
      sinks.set(parameter.owner, { textAt: parameter.at, level, levelAt: levelParameter?.at })
    }
  }

  const found: Array<Omit<Message, "key"> & { readonly place: string; readonly position: number }> = []
  const add = (node: ts.Node, file: string, kind: Message["kind"], label: string, text: string): void => {
    const place = placeOf(node, file)
    found.push({ place, package: packageOf(file), file, kind, label, text, position: node.getStart() })
  }

  for (const { file, node } of calls) {
    const sink = sinkOf(node)
    const text = sink === undefined ? undefined : node.arguments[sink.textAt]
    if (sink === undefined || text === undefined || isPassedOn(text)) continue
    const given = sink.levelAt === undefined ? undefined : node.arguments[sink.levelAt].getText()
    const names = given?.match(/LogLevel\.(\w+)/g)?.map((name) => name.slice("LogLevel.".length).toLowerCase())
    const label = sink.level?.replace(/^LogLevel\./, "").toLowerCase() ?? names?.join(" or ") ?? "by outcome"
    add(node, file, "log", label, wording.of(text))
  }

  for (const { file, source } of parsed) {
    const visit = (node: ts.Node): void => {
      if (
        ts.isGetAccessorDeclaration(node) && node.name.getText() === "message" && ts.isClassDeclaration(node.parent)
      ) {
        const text = wording.returned(node)
        const name = node.parent.name?.text ?? ""
        if (hasWords(text) || text !== "{message}") add(node, file, "error", name, text)
      }
      if (ts.isNewExpression(node) && isError(node.expression.getText()) && node.arguments?.[0] !== undefined) {
        const [first] = node.arguments
        const text = ts.isObjectLiteralExpression(first) ? "" : wording.of(first)
        if (hasWords(text)) add(node, file, "error", node.expression.getText(), text)
      }
      ts.forEachChild(node, visit)
    }
    visit(source)
  }

  const counts = new Map<string, number>()
  return found
    .sort((a, b) => a.file === b.file ? a.position - b.position : a.file < b.file ? -1 : 1)
    .map(({ place, position: _, ...message }) => {
      const base = `${message.package}/${place.replace(/\.message$/, "")}`
      const count = (counts.get(base) ?? 0) + 1
      counts.set(base, count)
      return { ...message, key: count === 1 ? base : `${base}#${count}` }
    })
}

const packages = ["core", "pool", "cache", "platform", "platform-node", "vitest"]

const shownText = (text: string): string => {
  const line = text.replaceAll("\n", " ⏎ ").trim()
  return line.includes("`") ? `\`\` ${line} \`\`` : `\`${line}\``
}

const entry = ({ file, key, label, text }: Message, explanations: Readonly<Record<string, Explanation>>): string => {
  const { action, when } = explanations[key] ?? { when: "not explained", action: "not explained" }
  return `- [${label}](../${file}) ${shownText(text)}\n  - When: ${when}\n  - Do: ${action}`
}

/** The document. */
export const renderMessages = (
  messages: ReadonlyArray<Message>,
  explanations: Readonly<Record<string, Explanation>>,
  head: string
): string =>
  [
    head,
    ...packages.flatMap((name) => {
      const own = messages.filter((message) => message.package === name)
      const part = (title: string, kind: Message["kind"]) => {
        const some = own.filter((message) => message.kind === kind)
        return some.length === 0 ? [] : [`### ${title}`, some.map((message) => entry(message, explanations)).join("\n")]
      }
      return [`## @patinox/${name}`, ...part(`Errors of ${name}`, "error"), ...part(`Log lines of ${name}`, "log")]
    })
  ].join("\n\n") + "\n"
