/**
 * What the tests beside Effect's own parts ask of both, read from their titles, as the document that lists every
 * difference. A title says what ours does and, where Effect's does something else, after `: there` what that is.
 */
import ts from "typescript"

export interface Question {
  readonly title: string
  /** What ours does and what Effect's does, where these differ. */
  readonly difference: readonly [here: string, there: string] | undefined
}

export interface Suite {
  /** The module of Effect's. */
  readonly effects: string
  /** How many tests Effect has of it. */
  readonly tests: number
  readonly ours: string
  /** Test files that ask both, by their paths in the repository. */
  readonly files: ReadonlyArray<string>
  /** A test file with a test for each part, and what its titles call the part here. */
  readonly pairs?: readonly [file: string, ours: string]
  /** What is in Effect's tests and has no counterpart here, and why. */
  readonly notAsked?: ReadonlyArray<readonly [what: string, why: string]>
}

const asks = ["same", "differs", "compare", "test", "it", "effect"]

const calleeOf = (node: ts.CallExpression): string => {
  const { expression } = node
  return ts.isIdentifier(expression) ? expression.text : ts.isPropertyAccessExpression(expression)
    ? expression.name.text
    : ""
}

const textOf = (node: ts.Expression | undefined): string | undefined =>
  node === undefined
    ? undefined
    : ts.isStringLiteralLike(node)
    ? node.text
    : ts.isTemplateExpression(node)
    ? [node.head.text, ...node.templateSpans.map(({ literal }) => literal.text)].join("…")
    : undefined

const separators = [": there ", ": in Effect's ", ": Effect's "]

const differenceIn = (title: string): readonly [string, string] | undefined => {
  const separator = separators.find((each) => title.includes(each))
  if (separator === undefined) return undefined
  const at = title.indexOf(separator)
  const there = title.slice(at + (separator === ": there " ? separator.length : 2))
  return [title.slice(0, at), there]
}

/** Visits the calls with a title, each with that of the `describe` around it. */
const titlesIn = (text: string, found: (title: string, callee: string, around: string) => void): void => {
  const visit = (node: ts.Node, around: string): void => {
    const title = ts.isCallExpression(node) ? textOf(node.arguments[0]) : undefined
    const callee = ts.isCallExpression(node) ? calleeOf(node) : ""
    if (title !== undefined && asks.includes(callee)) found(title, callee, around)
    ts.forEachChild(node, (child) => visit(child, callee === "describe" && title !== undefined ? title : around))
  }
  visit(ts.createSourceFile("test.ts", text, ts.ScriptTarget.Latest, true), "")
}

/** The questions that a test file asks, in its order. */
export const questionsOf = (text: string): ReadonlyArray<Question> => {
  const questions: Array<Question> = []
  titlesIn(text, (title, callee) => {
    const difference = differenceIn(title)
    if (["differs", "compare"].includes(callee) && difference === undefined) {
      throw new Error(`"${title}" does not say what Effect's does`)
    }
    questions.push({ title, difference })
  })
  return questions
}

/**
 * The questions of a test file that has, in each `describe`, a test of Effect's part and then one of the part here: their
 * titles begin with the part's name and a colon.
 */
export const pairedQuestionsOf = (text: string, ours: string): ReadonlyArray<Question> => {
  const questions: Array<Question> = []
  let there = ""
  titlesIn(text, (title, _, around) => {
    if (!title.startsWith(`${ours}: `)) {
      there = title.slice(title.indexOf(": ") + 2).replace(" (…)", "")
      return
    }
    const here = title.slice(ours.length + 2).replace(" (…)", "")
    questions.push({ title: around, difference: [`${around}: ${here}`, there] })
  })
  return questions
}

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

const linkTo = (file: string): string => `[${file.split("/").at(-1)!.replace(".test.ts", "")}](../${file})`

/** The document, from the suites and the texts of their files. */
export const renderBeside = (suites: ReadonlyArray<Suite>, read: (file: string) => string): string => {
  const asked = suites.map(({ files, pairs, ...suite }) => ({
    ...suite,
    files: pairs === undefined ? files : [...files, pairs[0]],
    questions: [
      ...files.flatMap((file) => questionsOf(read(file))),
      ...pairs === undefined ? [] : pairedQuestionsOf(read(pairs[0]), pairs[1])
    ]
  }))
  const differing = asked.flatMap(({ effects, questions }) =>
    questions.flatMap(({ difference }) => difference === undefined ? [] : [[`\`${effects}\``, ...difference]])
  )
  return `# Beside Effect's own parts

The tests below check what Effect's own tests promise. Each runs against Effect's part and against its counterpart in Patinox,
in other words and with other set-ups than Effect's. A difference fails the test, unless it is in the list below.
\`npx vitest run --project docs scripts/docs/beside.test.ts -u\` regenerates this document from the titles of the tests.

${
    table(
      ["Effect", "its tests", "Patinox", "checked for both", "equal", "different", "tests"],
      asked.map(({ effects, files, ours, questions, tests }) => {
        const differ = questions.filter(({ difference }) => difference !== undefined).length
        const counts = [questions.length, questions.length - differ, differ].map(String)
        return [`\`${effects}\``, String(tests), ours, ...counts, files.map(linkTo).join(", ")]
      })
    )
  }

## Differences

${table(["part", "Patinox", "Effect"], differing)}

## Left out

${
    table(
      ["part", "what", "why"],
      asked.flatMap(({ effects, notAsked = [] }) => notAsked.map(([what, why]) => [`\`${effects}\``, what, why]))
    )
  }
`
}
