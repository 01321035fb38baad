/** What a committed file may be called, and what a committed test may not say. */
import ts from "typescript"
import { memberOf, type Rule, visit } from "./rule.js"

export const noUtils: Rule = {
  name: "no-utils",
  appliesTo: () => true,
  check: (file) => {
    const vague = file.path.split("/").find((part) => /^utils?(\.|$)/i.test(part))
    if (vague !== undefined) file.report(file.source, `"${vague}" says nothing: name it after its concept`)
  }
}

const testFunctions = ["it", "test", "describe", "suite", "bench"]

const isTestFunction = (node: ts.Expression): boolean => {
  if (ts.isIdentifier(node)) return testFunctions.includes(node.text)
  if (ts.isCallExpression(node)) return isTestFunction(node.expression)
  const member = memberOf(node)
  return member !== undefined && isTestFunction(member.object)
}

export const everyTestRuns: Rule = {
  name: "every-test-runs",
  appliesTo: (file) => /\.(test|tst|spec)\.ts$/.test(file),
  check: (file) =>
    visit(file.source, (node) => {
      const member = memberOf(node)
      if (member !== undefined && ["only", "skip", "todo"].includes(member.name) && isTestFunction(member.object)) {
        file.report(node, `.${member.name} leaves tests out`)
      }
      const isOption = ts.isPropertyAssignment(node) && ["only", "skip", "todo"].includes(node.name.getText()) &&
        node.initializer.kind === ts.SyntaxKind.TrueKeyword && ts.isCallExpression(node.parent.parent) &&
        isTestFunction(node.parent.parent.expression)
      if (isOption) file.report(node, `${node.name.getText()}: true leaves tests out`)
    })
}
