/** `docs/messages.md` has every message that the packages can write, each with an explanation that fits one. */
import path from "node:path"
import { describe, expect, it } from "vitest"
import { explanations, unseen } from "./explanations.js"
import { readMessages, renderMessages } from "./messages.js"
import { root } from "./repository.js"

const all = readMessages()
const messages = all.filter(({ key }) => !unseen.includes(key))

const head = `# Messages

Every error message and every log line that the packages can write, with its cause and its remedy. A link leads to the
source. In a text, \`{name}\` stands for a value, \`[a | b]\` for one of two texts, \`[a]\` for a text that may be left out, and ⏎
for the end of a line. Log lines about a resource carry \`patinox.resource.id\`; those of a pool \`patinox.pool\`; those of a
cache \`patinox.cache\`.

\`npx vitest run --project docs scripts/docs/messages.test.ts -u\` regenerates this document from the sources and from
[explanations.ts](../scripts/docs/explanations.ts).`

it("the document lists every message", async () => {
  await expect(renderMessages(messages, explanations, head)).toMatchFileSnapshot(path.join(root, "docs/messages.md"))
})

it("every message has an explanation", () => {
  const unexplained = messages.filter(({ key }) => !Object.hasOwn(explanations, key))
  expect(unexplained.map(({ file, key, text }) => `${key}: ${text} (${file})`)).toEqual([])
})

it("every explanation, and every text that is left out, has its message", () => {
  const keys = new Set(all.map(({ key }) => key))
  expect([...Object.keys(explanations), ...unseen].filter((key) => !keys.has(key))).toEqual([])
})

describe("a message is found", () => {
  const file = "packages/core/src/Sample.ts"
  const found = (code: string) =>
    readMessages([file], { [file]: code }).map(({ key, kind, label, text }) => ({ key, kind, label, text }))

  it("in the class of an error, with its alternatives and what may be left out", () => {
    const code = `
      const reasons = { a: "is away", b: "is busy" } as const
      const until = (at?: number) => at === undefined ? "" : \` until \${at}\`
      export class Busy extends Error {
        readonly name = "a"
        readonly why: "a" | "b" = "a"
        override get message(): string {
          return \`Worker \${this.name} \${reasons[this.why]}\${until(1)}\`
        }
      }`
    const text = "Worker {name} [is away | is busy][ until {at}]"
    expect(found(code).map((message) => message.text.replace("{value}", "{at}"))).toEqual([text])
    expect(found(code)).toMatchObject([{ key: "core/Busy", kind: "error", label: "Busy" }])
  })

  it("in a log call, in a function that hands its text on, and in the functions that make the text", () => {
    const code = `
      import { Effect } from "effect"
      const ended = (name: string, n: number) => \`\${name} ended\` + (n > 1 ? " again" : "")
      class Log {
        private warn(message: string) { return Effect.logWarning(message) }
        first = (a: string) => this.warn(ended(a, 1))
        second(b: string) { return [this.warn("plain"), Effect.logError(\`bad \${b}\`)] }
      }
      export const log = new Log()`
    expect(found(code)).toEqual([
      { key: "core/Log.first", kind: "log", label: "warning", text: "{a} ended[ again]" },
      { key: "core/Log.second", kind: "log", label: "warning", text: "plain" },
      { key: "core/Log.second#2", kind: "log", label: "error", text: "bad {b}" }
    ])
  })

  it("in a defect, but not in an error without words", () => {
    const code =
      `export const f = (name: string) => [new Error(\`no \${name} here\`), new Error(), new TypeError(name)]`
    expect(found(code)).toEqual([{ key: "core/Sample.f", kind: "error", label: "Error", text: "no {name} here" }])
  })
})
