/** A Ref, Deferred, Fiber, Option or Either is a value: Effect 3 also runs it as an Effect, Effect 4 does not. */
import ts from "typescript"
import { isPackageSource, memberOf, type Rule, type RuleFile, visit } from "./rule.js"

const valueTypes = new Set([
  "Deferred",
  "Dequeue",
  "Either",
  "Fiber",
  "FiberRef",
  "Left",
  "Mailbox",
  "None",
  "Option",
  "Pool",
  "Queue",
  "RcRef",
  "ReadonlyMailbox",
  "Ref",
  "Resource",
  "Right",
  "RuntimeFiber",
  "ScopedRef",
  "Some",
  "SubscriptionRef",
  "SynchronizedRef"
])

const isFromEffect = (type: ts.Type) =>
  type.symbol?.declarations?.some((node) => /\/effect\/(dist|src)\//.test(node.getSourceFile().fileName)) ?? false

const parts = (type: ts.Type): ReadonlyArray<ts.Type> => type.isUnion() ? type.types : [type]

const isEffect = (type: ts.Type) => parts(type).some((part) => part.symbol?.name === "Effect" && isFromEffect(part))

const makeCheck = ({ checker, report }: RuleFile) => {
  const valueName = (type: ts.Type): string | undefined => {
    const concrete = checker.getBaseConstraintOfType(type) ?? type
    return parts(concrete).find((part) => valueTypes.has(part.symbol?.name) && isFromEffect(part))?.symbol.name
  }
  const reportValue = (node: ts.Node, type: ts.Type) => {
    const name = valueName(type)
    if (name !== undefined) report(node, `this ${name} is used as an Effect: say what to do with it (get, await, join)`)
  }
  const returned = (type: ts.Type) => type.getCallSignatures().map((signature) => signature.getReturnType())

  const isValueGenerator = (node: ts.Node | undefined): boolean => {
    if (node === undefined) return false
    if (!ts.isFunctionLike(node)) return isValueGenerator(node.parent)
    const call = node.parent
    return ts.isCallExpression(call) && ["Option.gen", "Either.gen"].includes(call.expression.getText())
  }

  const elements = (literal: ts.Expression | undefined): ReadonlyArray<ts.Expression> => {
    if (literal === undefined) return []
    if (ts.isArrayLiteralExpression(literal)) return literal.elements
    if (!ts.isObjectLiteralExpression(literal)) return []
    return literal.properties.flatMap((property) =>
      ts.isPropertyAssignment(property) ? [property.initializer] : property.name ? [property.name as ts.Identifier] : []
    )
  }

  /** These take anything, so that no expected type tells what they do with an Effect. */
  const checkLooseCall = (call: ts.CallExpression) => {
    const member = memberOf(call.expression)
    if (member === undefined || member.object.getText() !== "Effect") return
    const taken = ["andThen", "tap"].includes(member.name)
      ? call.arguments
      : member.name === "all"
      ? elements(call.arguments[0])
      : []
    for (const argument of taken) {
      const type = checker.getTypeAtLocation(argument)
      for (const candidate of [type, ...returned(type)]) reportValue(argument, candidate)
    }
  }

  const checkPipe = (call: ts.CallExpression) => {
    const member = memberOf(call.expression)
    const isMethod = member?.name === "pipe" && checker.getTypeAtLocation(member.object).symbol?.name !== "Function"
    const subject = isMethod ? member.object : call.expression.getText() === "pipe" ? call.arguments[0] : undefined
    const next = call.arguments[isMethod ? 0 : 1]
    if (subject === undefined || next === undefined) return
    const input = checker.getTypeAtLocation(next).getCallSignatures()[0]?.parameters[0]
    if (input !== undefined && isEffect(checker.getTypeOfSymbol(input))) {
      reportValue(subject, checker.getTypeAtLocation(subject))
    }
  }

  return (node: ts.Node) => {
    if (ts.isYieldExpression(node) && node.asteriskToken && node.expression && !isValueGenerator(node)) {
      reportValue(node.expression, checker.getTypeAtLocation(node.expression))
    }
    if (ts.isCallExpression(node)) {
      checkLooseCall(node)
      checkPipe(node)
    }
    if (!ts.isExpression(node)) return
    const expected = checker.getContextualType(node)
    if (expected !== undefined && isEffect(expected)) reportValue(node, checker.getTypeAtLocation(node))
  }
}

export const valuesAreNoEffects: Rule = {
  name: "values-are-no-effects",
  appliesTo: isPackageSource,
  check: (file) => visit(file.source, makeCheck(file))
}
