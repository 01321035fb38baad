/** Members and globals that have one place, or none, in the sources of the packages. */
import ts from "typescript"
import { isPackageSource, isSeam, memberOf, type Rule, visit } from "./rule.js"

export const unsafeInSeam: Rule = {
  name: "unsafe-in-seam",
  appliesTo: (file) => isPackageSource(file) && !isSeam(file),
  check: (file) =>
    visit(file.source, (node) => {
      const name = memberOf(node)?.name
      if (name !== undefined && /^(unsafe[A-Z]\w*|withFiberRuntime)$/.test(name)) {
        file.report(node, `${name} is for internal/effect3 only`)
      }
    })
}

/** `Effect.async`, `Effect.asyncEffect` and what else makes a fiber wait for a callback. */
export const suspendingInSeam: Rule = {
  name: "suspending-in-seam",
  appliesTo: (file) => isPackageSource(file) && !isSeam(file),
  check: (file) =>
    visit(file.source, (node) => {
      const member = memberOf(node)
      const isAsync = member !== undefined
        ? member.object.getText() === "Effect" && member.name.startsWith("async")
        : ts.isImportSpecifier(node) && (node.propertyName ?? node.name).text.startsWith("async") &&
          node.parent.parent.parent.moduleSpecifier.getText() === `"effect/Effect"`
      if (isAsync) {
        file.report(
          node,
          "Effect.async is for internal/effect3 only: use Fibers.callback, or callback of core/kernel"
        )
      }
    })
}

const replacements: Readonly<Record<string, string>> = {
  Service: "write `class X extends Context.Tag(id)<X, Shape>()`",
  Tag: "write `class X extends Context.Tag(id)<X, Shape>()`",
  zipRight: "write `Effect.andThen`, which both majors have"
}

export const portableEffect: Rule = {
  name: "portable-effect",
  appliesTo: isPackageSource,
  check: (file) =>
    visit(file.source, (node) => {
      const member = memberOf(node)
      if (member?.object.getText() !== "Effect" || !Object.hasOwn(replacements, member.name)) return
      file.report(node, `Effect.${member.name}: ${replacements[member.name]}`)
    })
}

const timers = ["setTimeout", "setInterval", "setImmediate"]
const ambientMembers = ["Date.now", "Math.random", "performance.now"]

const ambientNameOf = (node: ts.Node): string | undefined => {
  const member = memberOf(node)
  if (member !== undefined) {
    const object = member.object.getText().replace(/^globalThis\./, "")
    if (ambientMembers.includes(`${object}.${member.name}`)) return `${object}.${member.name}`
    return object === "globalThis" && timers.includes(member.name) ? member.name : undefined
  }
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && !node.arguments?.length) return "new Date()"
  const isCalled = ts.isIdentifier(node) && timers.includes(node.text) &&
    !(ts.isPropertyAccessExpression(node.parent) && node.parent.name === node) && ts.isExpression(node.parent)
  return isCalled ? node.text : undefined
}

export const ambientInSeam: Rule = {
  name: "ambient-in-seam",
  appliesTo: (file) => isPackageSource(file) && !isSeam(file),
  check: (file) =>
    visit(file.source, (node) => {
      const name = ambientNameOf(node)
      if (name !== undefined) {
        file.report(node, `${name} is for internal/effect3 only: use Clock, Random or Effect.sleep`)
      }
    })
}
