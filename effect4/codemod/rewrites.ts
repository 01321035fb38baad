/** Calls and types that have other arguments in Effect 4. Each gives the new text, or `undefined` to leave it to the table. */
import ts from "typescript"
import type { Rewriter } from "./Rewriter.js"

type CallRewrite = (rewriter: Rewriter, node: ts.CallExpression) => string | undefined

type TypeRewrite = (rewriter: Rewriter, node: ts.TypeReferenceNode) => string | undefined

const typeArguments = (rewriter: Rewriter, nodes: ReadonlyArray<ts.Node> | undefined): string =>
  nodes === undefined ? "" : `<${rewriter.texts(nodes).join(", ")}>`

/** The callee as it is called now, with its type arguments. */
const callee = (rewriter: Rewriter, { expression, typeArguments: types }: ts.CallExpression): string =>
  rewriter.renamed(rewriter.key(expression)!, expression) + typeArguments(rewriter, types)

/** What was a call without arguments is the value itself. */
const value: CallRewrite = (rewriter, node) => callee(rewriter, node)

/** A setting of its own kind is the service of a reference: `f(effect, x)` and `f(x)`. */
const provides = (module: string, reference: string): CallRewrite => (rewriter, node) => {
  const [first, second] = rewriter.texts(node.arguments)
  const provide = `${rewriter.module("Effect")}.provideService`
  const key = `${rewriter.module(module)}.${reference}`
  return second === undefined ? `${provide}(${key}, ${first})` : `${provide}(${first}, ${key}, ${second})`
}

/** As a layer. */
const providesLayer = (module: string, reference: string): CallRewrite => (rewriter, node) =>
  `${rewriter.module("Layer")}.succeed(${rewriter.module(module)}.${reference}, ${rewriter.text(node.arguments[0]!)})`

/** `zipLeft(a, b)`: what comes after is a function in Effect 4. */
const zipLeft: CallRewrite = (rewriter, node) => {
  const [first, second] = rewriter.texts(node.arguments)
  const tap = `${rewriter.module("Effect")}.tap`
  return second === undefined ? `${tap}(() => ${first})` : `${tap}(${first}, () => ${second})`
}

/** In the sources `{ times }`; tests count turns, of which a schedule has others. */
const repeatN: CallRewrite = (rewriter, node) => {
  const all = rewriter.texts(node.arguments)
  if (rewriter.place === "tests") return `${rewriter.shim("repeatN", node)}(${all.join(", ")})`
  const times = `{ times: ${all[all.length - 1]} }`
  return `${rewriter.module("Effect")}.repeat(${[...all.slice(0, -1), times].join(", ")})`
}

/** `{ duration, onTimeout }` is `{ duration, orElse }`. */
const timeoutFail = (fail: string): CallRewrite => (rewriter, node) => {
  const options = node.arguments[node.arguments.length - 1]
  if (options === undefined || !ts.isObjectLiteralExpression(options)) {
    rewriter.problem(node, "a timeout whose options are no literal")
    return undefined
  }
  const effect = rewriter.module("Effect")
  const fields = options.properties.map((property) =>
    ts.isPropertyAssignment(property) && property.name.getText() === "onTimeout"
      ? ts.isArrowFunction(property.initializer) && !ts.isBlock(property.initializer.body)
        ? `orElse: () => ${effect}.${fail}(${rewriter.text(property.initializer.body)})`
        : `orElse: () => ${effect}.${fail}((${rewriter.text(property.initializer)})())`
      : ts.isShorthandPropertyAssignment(property) && property.name.text === "onTimeout"
      ? `orElse: () => ${effect}.${fail}(onTimeout())`
      : rewriter.text(property)
  )
  const self = rewriter.texts(node.arguments.slice(0, -1))
  return `${effect}.timeoutOrElse(${[...self, `{ ${fields.join(", ")} }`].join(", ")})`
}

/** Which loggers there are is one list. */
const loggers = (rewriter: Rewriter, list: string): string => `${rewriter.module("Logger")}.layer([${list}])`

/** `Fiber.join(Fiber.all(fibers))` is one function in Effect 4. */
const ofAll = (name: string): CallRewrite => (rewriter, node) => {
  const [fibers] = node.arguments
  return fibers !== undefined && ts.isCallExpression(fibers) && rewriter.key(fibers.expression) === "Fiber.all"
    ? `${rewriter.module("Fiber")}.${name}(${rewriter.text(fibers.arguments[0]!)})`
    : undefined
}

/** `Fiber.join(Fiber.zip(a, b))` */
const ofBoth: CallRewrite = (rewriter, node) => {
  const [fibers] = node.arguments
  if (fibers === undefined || !ts.isCallExpression(fibers) || rewriter.key(fibers.expression) !== "Fiber.zip") {
    return undefined
  }
  const join = `${rewriter.module("Fiber")}.join`
  const joined = rewriter.texts(fibers.arguments).map((fiber) => `${join}(${fiber})`)
  return `${rewriter.module("Effect")}.all([${joined.join(", ")}])`
}

/** Whether what `yield* f()` gives is used. */
const isValueUsed = ({ parent }: ts.CallExpression): boolean =>
  !ts.isYieldExpression(parent) || !ts.isExpressionStatement(parent.parent)

/** Two schedules are a list. */
const ofList = (name: string): CallRewrite => (rewriter, node) => {
  const [first, second] = rewriter.texts(node.arguments)
  const schedule = rewriter.module("Schedule")
  return second === undefined
    ? `((self) => ${schedule}.${name}([self, ${first}]))`
    : `${schedule}.${name}([${first}, ${second}])`
}

/** The key of what is curried and ends in `()` is that of the inner call. */
export const callRewrites: Readonly<Record<string, CallRewrite>> = {
  "Context.Tag()": (rewriter, node) => {
    const id = rewriter.texts((node.expression as ts.CallExpression).arguments).join(", ")
    return `${rewriter.module("Context")}.Service${typeArguments(rewriter, node.typeArguments)}()(${id})`
  },
  "Context.Reference()": (rewriter, node) => {
    const inner = node.expression as ts.CallExpression
    return `${rewriter.module("Context")}.Reference${typeArguments(rewriter, inner.typeArguments)}(${
      [...rewriter.texts(inner.arguments), ...rewriter.texts(node.arguments)].join(", ")
    })`
  },
  "Context.GenericTag": (rewriter, node) =>
    `${rewriter.module("Context")}.Service${typeArguments(rewriter, node.typeArguments)}(${
      rewriter.texts(node.arguments).join(", ")
    })`,
  "Brand.refined": (rewriter, node) => {
    const [isOne, error] = rewriter.texts(node.arguments)
    return `${rewriter.module("Brand")}.make${
      typeArguments(rewriter, node.typeArguments)
    }((text) => (${isOne})(text) || (${error})(text))`
  },
  "Brand.error": (rewriter, node) => rewriter.text(node.arguments[0]!),
  "Cause.pretty": (rewriter, node) => `${rewriter.module("Cause")}.pretty(${rewriter.text(node.arguments[0]!)})`,
  "Cause.interrupt": (rewriter) => `${rewriter.module("Cause")}.interrupt()`,
  "Chunk.isEmpty": (rewriter, node) => `(Array.from(${rewriter.text(node.arguments[0]!)}).length === 0)`,
  "Chunk.size": (rewriter, node) => `Array.from(${rewriter.text(node.arguments[0]!)}).length`,
  "Chunk.toReadonlyArray": (rewriter, node) => `Array.from(${rewriter.text(node.arguments[0]!)})`,
  "Config.integer": (rewriter, node) =>
    `${rewriter.module("Config")}.Int(${rewriter.texts(node.arguments).join(", ")})`,
  "Config.string": (rewriter, node) =>
    `${rewriter.module("Config")}.String(${rewriter.texts(node.arguments).join(", ")})`,
  "Deferred.unsafeMake": (rewriter, node) =>
    `${rewriter.module("Deferred")}.makeUnsafe${typeArguments(rewriter, node.typeArguments)}()`,
  "Effect.contextWithEffect": (rewriter, node) => {
    const effect = rewriter.module("Effect")
    return `${effect}.flatMap(${effect}.context(), ${rewriter.text(node.arguments[0]!)})`
  },
  "Effect.dieMessage": (rewriter, node) =>
    `${rewriter.module("Effect")}.die(new Error(${rewriter.text(node.arguments[0]!)}))`,
  "Effect.fiberIdWith": (rewriter, node) => {
    const effect = rewriter.module("Effect")
    return `${effect}.flatMap(${effect}.fiberId, ${rewriter.text(node.arguments[0]!)})`
  },
  "Effect.gen": (rewriter, node) => {
    const [self, body] = node.arguments
    return body === undefined
      ? undefined
      : `${rewriter.module("Effect")}.gen({ self: ${rewriter.text(self!)} }, ${rewriter.text(body)})`
  },
  "Effect.locally": (rewriter, node) =>
    `${rewriter.module("Effect")}.provideService(${rewriter.texts(node.arguments).join(", ")})`,
  "Effect.randomWith": (rewriter, node) =>
    `${rewriter.module("Effect")}.flatMap(${rewriter.module("Random")}.Random, ${rewriter.text(node.arguments[0]!)})`,
  "Effect.repeatN": repeatN,
  "Effect.runFork": (rewriter, node) => {
    const [effect, options] = node.arguments
    return options !== undefined && ts.isObjectLiteralExpression(options) &&
        options.properties.some((property) => property.name?.getText() === "scope")
      ? `${rewriter.shim("runForkIn", node)}(${rewriter.text(effect!)}, ${rewriter.text(options)})`
      : undefined
  },
  "Effect.timeoutFail": timeoutFail("fail"),
  "Effect.timeoutFailCause": timeoutFail("failCause"),
  "Effect.withClock": provides("Clock", "Clock"),
  "Effect.withConfigProvider": provides("ConfigProvider", "ConfigProvider"),
  "Effect.withMaxOpsBeforeYield": provides("Scheduler", "MaxOpsBeforeYield"),
  "Effect.withRandom": provides("Random", "Random"),
  "Effect.withScheduler": provides("Scheduler", "Scheduler"),
  "Effect.yieldNow": value,
  "Effect.zipLeft": zipLeft,
  "ExecutionStrategy.parallelN": (rewriter, node) => `(${rewriter.text(node.arguments[0]!)} as unknown as "parallel")`,
  "Fiber.await": ofAll("awaitAll"),
  "Fiber.interrupt": (rewriter, node) =>
    ofAll("interruptAll")(rewriter, node) ?? (isValueUsed(node) && rewriter.place === "tests"
      ? `${rewriter.shim("interrupt", node)}(${rewriter.text(node.arguments[0]!)})`
      : undefined),
  "Fiber.join": (rewriter, node) => ofAll("joinAll")(rewriter, node) ?? ofBoth(rewriter, node),
  "Layer.setClock": providesLayer("Clock", "Clock"),
  "Layer.setConfigProvider": (rewriter, node) =>
    `${rewriter.module("ConfigProvider")}.layer(${rewriter.text(node.arguments[0]!)})`,
  "Layer.setScheduler": providesLayer("Scheduler", "Scheduler"),
  "Layer.setTracer": providesLayer("Tracer", "Tracer"),
  "Logger.remove": (rewriter) => loggers(rewriter, ""),
  "Logger.replace": (rewriter, node) => loggers(rewriter, rewriter.text(node.arguments[1]!)),
  "Logger.withMinimumLogLevel": provides("References", "MinimumLogLevel"),
  "ManagedRuntime.make": (rewriter, node) =>
    `${rewriter.shim("managedRuntime", node)}(${rewriter.texts(node.arguments).join(", ")})`,
  "MetricLabel.make": (rewriter, node) => `([${rewriter.texts(node.arguments).join(", ")}] as const)`,
  "Schedule.either": ofList("min"),
  "Schedule.intersect": ofList("max"),
  "Schedule.delays": (rewriter, node) => rewriter.text(node.arguments[0]!),
  "STM.all": (rewriter, node) => `${rewriter.module("Effect")}.all(${rewriter.text(node.arguments[0]!)})`
}

export const typeRewrites: Readonly<Record<string, TypeRewrite>> = {
  /** `<Out, In, R>` is `<Out, In, E, R>`. */
  "Schedule.Schedule": (rewriter, node) => {
    const [out, input, env] = rewriter.texts(node.typeArguments)
    return env === undefined
      ? undefined
      : `${rewriter.module("Schedule")}.Schedule<${out}, ${input}, never, ${env}>`
  },
  "Runtime.Runtime": (rewriter, node) =>
    `${rewriter.module("Context")}.Context${typeArguments(rewriter, node.typeArguments)}`,
  "Brand.Brand.Constructor": (rewriter, node) =>
    `${rewriter.module("Brand")}.Constructor${typeArguments(rewriter, node.typeArguments)}`,
  "Schema.Schema": (rewriter, node) => {
    const [type, encoded, services] = rewriter.texts(node.typeArguments)
    const rest = services === undefined ? "" : `, ${services}, ${services}`
    return encoded === undefined
      ? `${rewriter.module("Schema")}.Codec<${type}>`
      : `${rewriter.module("Schema")}.Codec<${type}, ${encoded}${rest}>`
  },
  "Effect.Effect.Context": (rewriter, node) =>
    `${rewriter.module("Effect")}.Services${typeArguments(rewriter, node.typeArguments)}`,
  "Effect.Effect.Error": (rewriter, node) =>
    `${rewriter.module("Effect")}.Error${typeArguments(rewriter, node.typeArguments)}`,
  "Effect.Effect.Success": (rewriter, node) =>
    `${rewriter.module("Effect")}.Success${typeArguments(rewriter, node.typeArguments)}`,
  "Metric.Metric.Gauge": (rewriter, node) => `Metric.Gauge<${rewriter.texts(node.typeArguments ?? []).join(", ")}>`,
  "Schema.Schema.Encoded": (rewriter, node) => `${rewriter.text(node.typeArguments![0]!)}["Encoded"]`,
  "Scope.Scope.Finalizer": (rewriter) =>
    `((exit: ${rewriter.module("Exit")}.Exit<any, any>) => ${rewriter.module("Effect")}.Effect<unknown>)`
}

/** What tests call of `@effect/vitest`. */
export const testRewrites: Readonly<Record<string, CallRewrite>> = {
  /** There it takes arbitraries of Effect's own, and no longer those of fast-check. */
  "it.effect.prop": (rewriter, node) =>
    `${rewriter.shim("propEffect", node)}(${rewriter.texts(node.arguments).join(", ")})`,
  "it.prop": (rewriter, node) => `${rewriter.shim("prop", node)}(${rewriter.texts(node.arguments).join(", ")})`
}

/** Methods of values, by name and number of arguments. */
export const methodRewrites: Readonly<
  Record<string, (rewriter: Rewriter, node: ts.PropertyAccessExpression) => string | undefined>
> = {
  /** A fiber's id is a number. */
  "id/0": (rewriter, node) => `${rewriter.text(node.expression)}${node.questionDotToken ? "?" : ""}.id`,
  "unsafeInterruptAsFork/1": (rewriter, node) => `${rewriter.text(node.expression)}.interruptUnsafe()`,
  "unsafePoll/0": (rewriter, node) => `(${rewriter.text(node.expression)}.pollUnsafe() ?? null)`
}

/** A span has annotations, which were its context; a scheduler makes what it schedules by. */
const ofSpan = (rewriter: Rewriter, node: ts.ObjectLiteralExpression): string | undefined => {
  const { parent } = node
  if (!ts.isVariableDeclaration(parent)) return undefined
  const type = parent.type?.getText()
  if (type === "Scheduler.Scheduler" && node.properties.some(({ name }) => name?.getText() === "scheduleTask")) {
    return `${rewriter.shim("scheduler", node)}({ ${rewriter.texts(node.properties).join(", ")} })`
  }
  if (type !== "Tracer.Span") return undefined
  const fields = node.properties.map((property) =>
    property.name?.getText() !== "context"
      ? rewriter.text(property)
      : `annotations: ${ts.isPropertyAssignment(property) ? rewriter.text(property.initializer) : "context"}`
  )
  return `{ ${fields.join(", ")} }`
}

/** A clock says the time of its wall in nanoseconds, too; of one that did not, both are the same. */
export const objectRewrite = (rewriter: Rewriter, node: ts.ObjectLiteralExpression): string | undefined => {
  const isTypeId = ({ name }: ts.ObjectLiteralElementLike): boolean =>
    name !== undefined && ts.isComputedPropertyName(name) && rewriter.key(name.expression) === "Clock.ClockTypeId"
  if (!node.properties.some(isTypeId)) return ofSpan(rewriter, node)
  const twice = new Map([
    ["monotonicTimeNanosUnsafe", "currentTimeNanosUnsafe"],
    ["currentTimeNanos", "monotonicTimeNanos"]
  ])
  const fields = node.properties.filter((property) => !isTypeId(property)).flatMap((property) => {
    const text = rewriter.text(property)
    const name = /^\w+/.exec(text)?.[0]
    const other = name && twice.get(name)
    return other === undefined ? [text] : [text, text.replace(name!, other)]
  })
  return `{ ${fields.join(", ")} }`
}
