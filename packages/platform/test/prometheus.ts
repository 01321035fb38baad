/** A reader of the text format that is strict: it throws at whatever the format does not allow. */

interface Sample {
  readonly name: string
  readonly labels: ReadonlyArray<readonly [name: string, value: string]>
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly kind: string
  readonly help: string | undefined
  readonly samples: Array<Sample>
}

const name = "[a-zA-Z_:][a-zA-Z0-9_:]*"
const label = "[a-zA-Z_][a-zA-Z0-9_]*=\"(?:[^\"\\\\\\n]|\\\\[\\\\\"n])*\""
const help = new RegExp(`^# HELP (${name}) ((?:[^\\\\\\n]|\\\\[\\\\n])*)$`)
const type = new RegExp(`^# TYPE (${name}) (counter|gauge|histogram|summary|untyped)$`)
const sample = new RegExp(`^(${name})(?:\\{(${label}(?:,${label})*)\\})? (NaN|[+-]Inf|-?[0-9.]+(?:e[+-]?[0-9]+)?)$`)

const unescape = (text: string) => text.replace(/\\([\\"n])/g, (_, char) => char === "n" ? "\n" : char)

const numberOf = (text: string) => text === "+Inf" ? Infinity : text === "-Inf" ? -Infinity : Number(text)

export const parse = (text: string): ReadonlyArray<Family> => {
  if (text !== "" && !text.endsWith("\n")) throw new Error("the last line has no end")
  const families: Array<Family> = []
  let helped: { name: string; help: string } | undefined
  for (const line of text.split("\n").slice(0, -1)) {
    const [, helpName, helpText] = help.exec(line) ?? []
    const [, typeName, kind] = type.exec(line) ?? []
    const [, sampleName, labels, value] = sample.exec(line) ?? []
    if (helpName !== undefined) {
      if (helped !== undefined) throw new Error(`no type after the help of ${helped.name}`)
      helped = { name: helpName, help: unescape(helpText!) }
    } else if (typeName !== undefined) {
      if (helped !== undefined && helped.name !== typeName) throw new Error(`the help of ${helped.name} is not its own`)
      families.push({ name: typeName, kind: kind!, help: helped?.help, samples: [] })
      helped = undefined
    } else if (sampleName !== undefined) {
      const family = families.at(-1)
      if (family === undefined || !sampleName.startsWith(family.name)) throw new Error(`${sampleName} has no type`)
      const found = [...(labels ?? "").matchAll(/([^=,]+)="((?:[^"\\]|\\.)*)"/g)]
      family.samples.push({
        name: sampleName,
        labels: found.map(([, name, value]) => [name!, unescape(value!)] as const),
        value: numberOf(value!)
      })
    } else throw new Error(`not a line of the format: ${JSON.stringify(line)}`)
  }
  return families
}
