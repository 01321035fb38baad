/** Finds what a mutation changes: by the name of a member, over all sources of a package. */
import { readdirSync, readFileSync } from "node:fs"
import ts from "typescript"
import { applyEdit, type Edit } from "./edit.js"
import type { Mutation } from "./mutation.js"

interface Member {
  readonly file: string
  readonly text: string
  readonly start: number
  readonly end: number
}

/** Names of the members that `node` declares: those of a class with its name before them. */
const namesOf = (node: ts.Node): ReadonlyArray<readonly [string, ts.Node]> => {
  if (ts.isClassDeclaration(node)) {
    const className = node.name?.text ?? "default"
    return node.members.flatMap((member): ReadonlyArray<readonly [string, ts.Node]> => {
      if (ts.isConstructorDeclaration(member)) return [[`${className}.constructor`, member]]
      return member.name === undefined ? [] : [[`${className}.${member.name.getText()}`, member]]
    })
  }
  if (ts.isFunctionDeclaration(node)) return [[node.name?.text ?? "default", node]]
  if (ts.isVariableStatement(node)) {
    return node.declarationList.declarations.map((declaration) => [declaration.name.getText(), declaration] as const)
  }
  return []
}

const indexOf = (folder: string): ReadonlyMap<string, ReadonlyArray<Member>> => {
  const members = new Map<string, Array<Member>>()
  const sources = `packages/${folder}/src`
  for (const name of readdirSync(sources, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".ts")) continue
    const file = `${sources}/${name}`
    const source = ts.createSourceFile(file, readFileSync(file, "utf8"), ts.ScriptTarget.Latest, true)
    for (const [anchor, node] of source.statements.flatMap(namesOf)) {
      const member = { file, text: source.text, start: node.getStart(), end: node.getEnd() }
      members.set(anchor, [...members.get(anchor) ?? [], member])
    }
  }
  return members
}

const indexes = new Map<string, ReadonlyMap<string, ReadonlyArray<Member>>>()

const membersOf = (folder: string, anchor: string): ReadonlyArray<Member> => {
  const index = indexes.get(folder) ?? indexOf(folder)
  indexes.set(folder, index)
  return index.get(anchor) ?? []
}

const placesIn = ({ end, start, text }: Member, find: string): ReadonlyArray<number> => {
  const places: Array<number> = []
  for (let at = text.indexOf(find, start); at >= 0 && at + find.length <= end; at = text.indexOf(find, at + 1)) {
    places.push(at)
  }
  return places
}

/** The parser keeps what it found wrong in a property that its types leave out. */
const parses = (text: string): boolean =>
  Reflect.get(ts.createSourceFile("mutated.ts", text, ts.ScriptTarget.Latest), "parseDiagnostics").length === 0

/** The one place that a mutation changes, or why there is none. Members of one name count as one, as overloads do. */
export const locate = ({ at, find, folder, replace }: Mutation): Edit | string => {
  const members = membersOf(folder, at)
  if (members.length === 0) return `no member of packages/${folder}/src is called ${at}`
  const found = members.flatMap((member) => placesIn(member, find).map((start) => ({ member, start })))
  if (found.length !== 1) return `${JSON.stringify(find)} stands ${found.length} times in ${at}`
  const { member, start } = found[0]!
  const edit = { file: member.file, start, end: start + find.length, replace }
  return parses(applyEdit(member.text, edit)) ? edit : `${at} is no TypeScript any more with ${JSON.stringify(replace)}`
}
