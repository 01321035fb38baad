/**
 * What is called otherwise in Effect 4: the data of the codemod. A name that is not here is the same in both majors. Where
 * a call has other arguments, too, `rewrites.ts` says how.
 */

/** Modules with another name. */
export const moduleNames: Readonly<Record<string, string>> = {
  Either: "Result",
  STM: "Effect",
  TReentrantLock: "TxReentrantLock",
  TRef: "TxRef"
}

/** Where modules are that are not in "effect" itself. */
export const moduleSources: Readonly<Record<string, string>> = {
  TestClock: "effect/testing"
}

/** Members with another name: `Module.member` to `Module.member`, or to any other text. `Compat` is for tests alone. */
export const members: Readonly<Record<string, string>> = {
  "Cause.failureOption": "Cause.findErrorOption",
  "Cause.isDieType": "Compat.isDieType",
  "Cause.isFailType": "Compat.isFailType",
  "Cause.isInterrupted": "Cause.hasInterrupts",
  "Cause.isInterruptedOnly": "Cause.hasInterruptsOnly",
  "Cause.dieOption": "Compat.dieOption",
  "Cause.defects": "Compat.defects",
  "Cause.failures": "Compat.failures",
  "Cause.parallel": "Cause.combine",
  "Cause.sequential": "Cause.combine",
  "Cause.NoSuchElementException": "Cause.NoSuchElementError",
  "Cause.TimeoutException": "Cause.TimeoutError",
  "ConfigError.ConfigError": "Config.ConfigError",
  "Clock.make": "Compat.liveClock",
  "ConfigProvider.fromMap": "Compat.configFromMap",
  "Context.Tag": "Context.Key",
  "Context.unsafeGet": "Context.getUnsafe",
  "Data.array": "Compat.array",
  "Data.struct": "Compat.struct",
  "Data.tuple": "Compat.tuple",
  "Deferred.unsafeDone": "Deferred.doneUnsafe",
  "Duration.DurationInput": "Duration.Input",
  "Duration.decode": "Duration.fromInputUnsafe",
  "Effect.async": "Effect.callback",
  "Effect.catchAll": "Effect.catch",
  "Effect.catchAllCause": "Effect.catchCause",
  "Effect.catchAllDefect": "Effect.catchDefect",
  "Effect.clock": "Clock.Clock",
  "Effect.disconnect": "Compat.disconnect",
  "Effect.iterate": "Compat.iterate",
  "Effect.either": "Effect.result",
  "Effect.fork": "Effect.forkChild",
  "Effect.forkDaemon": "Effect.forkDetach",
  "Effect.locallyScoped": "Compat.locallyScoped",
  "Effect.logAnnotations": "Compat.logAnnotations",
  "Effect.mapInputContext": "Effect.updateContext",
  "Effect.parallelFinalizers": "Compat.parallelFinalizers",
  "Effect.runtime": "Effect.context",
  "Effect.acquireReleaseInterruptible": "Compat.acquireReleaseInterruptible",
  "Effect.tagMetrics": "Compat.tagMetrics",
  "Effect.tapErrorCause": "Effect.tapCause",
  "Effect.unsafeMakeSemaphore": "Semaphore.makeUnsafe",
  "Effect.makeSemaphore": "Semaphore.make",
  "Effect.withFiberRuntime": "Effect.withFiber",
  "Effect.zipRight": "Effect.andThen",
  "Either.isLeft": "Result.isFailure",
  "Either.isRight": "Result.isSuccess",
  "Either.left": "Result.fail",
  "Either.right": "Result.succeed",
  "Equivalence.boolean": "Equivalence.Boolean",
  "Equivalence.number": "Equivalence.Number",
  "Equivalence.string": "Equivalence.String",
  "Exit.isInterrupted": "Exit.hasInterrupts",
  "Exit.flatten": "Compat.flattenExit",
  "ExecutionStrategy.parallel": `("parallel" as const)`,
  "ExecutionStrategy.sequential": `("sequential" as const)`,
  "ExecutionStrategy.ExecutionStrategy": `("parallel" | "sequential")`,
  "Fiber.all": "Compat.allFibers",
  "Fiber.getCurrentFiber": "Compat.currentFiber",
  "Fiber.interruptFork": "Compat.interruptFork",
  "Fiber.poll": "Compat.poll",
  "Fiber.RuntimeFiber": "Fiber.Fiber",
  "Layer.MemoMapTypeId": "Compat.MemoMapTypeId",
  "Layer.catchAll": "Layer.catch",
  "Layer.fail": "Compat.failingLayer",
  "Layer.memoize": "Compat.memoize",
  "Layer.scoped": "Layer.effect",
  "Layer.scopedContext": "Layer.effectContext",
  "Layer.scopedDiscard": "Layer.effectDiscard",
  "Layer.unwrapEffect": "Layer.unwrap",
  "Layer.unwrapScoped": "Layer.unwrap",
  "Logger.jsonLogger": "Logger.formatJson",
  "Logger.logfmtLogger": "Logger.formatLogFmt",
  "Logger.stringLogger": "Logger.formatSimple",
  "Logger.zipRight": "Compat.zipLoggers",
  "LogLevel.All": `("All" as const)`,
  "LogLevel.Debug": `("Debug" as const)`,
  "LogLevel.Error": `("Error" as const)`,
  "LogLevel.Fatal": `("Fatal" as const)`,
  "LogLevel.Info": `("Info" as const)`,
  "LogLevel.Warning": `("Warn" as const)`,
  "Metric.tagged": "Compat.tagged",
  "MetricLabel.MetricLabel": "(readonly [name: string, value: string])",
  "Option.fromNullable": "Option.fromNullishOr",
  "Order.boolean": "Order.Boolean",
  "Order.number": "Order.Number",
  "Order.string": "Order.String",
  "Queue.isShutdown": "Compat.isShutdown",
  "Random.make": "Compat.random",
  "RequestResolver.makeBatched": "Compat.makeBatched",
  "Take.done": "Compat.fromTake",
  "Schedule.addDelayEffect": "Compat.addDelayEffect",
  "Schedule.identity": "Compat.identity",
  "Schedule.makeWithState": "Compat.makeWithState",
  "Schedule.run": "Compat.delaysOf",
  "Schedule.tapInput": "Compat.tapInput",
  "Schedule.tapOutput": "Compat.tapOutput",
  "Schema.JsonNumber": "Schema.Finite",
  "Schema.CauseEncoded": "Schema.CauseEncoded",
  "Scope.CloseableScope": "Scope.Closeable",
  "Scope.extend": "Scope.provide",
  "Stream.acquireRelease": "Compat.streamOf",
  "Stream.repeatEffectWithSchedule": "Stream.fromEffectSchedule",
  "Stream.unwrapScoped": "Stream.unwrap",
  "TestClock.currentTimeMillis": "Clock.currentTimeMillis",
  "TestClock.sleeps": "Sleeps.sleeps",
  "TestServices.TestServices": "Scope.Scope",
  "TReentrantLock.make": "TxReentrantLock.make()",
  "STM.STM": "Effect.Effect",
  "STM.retry": "Effect.txRetry",
  "STM.commit": "Effect.tx"
}

/** Members that exist in both majors and mean less in Effect 4: in tests alone, by what they were. */
export const inTests: Readonly<Record<string, string>> = {
  "Duration.subtract": "Compat.subtract",
  "Effect.fork": "Compat.fork",
  "Effect.forkDaemon": "Compat.forkDaemon",
  "Effect.tap": "Compat.tap",
  "Effect.tracer": "Compat.tracerInUse",
  "HashMap.size": "Compat.sizeOf",
  "Logger.make": "Compat.logger",
  "ManagedRuntime.ManagedRuntime": "Compat.ManagedRuntimeOf",
  "Metric.snapshot": "Compat.metrics",
  "Queue.takeAll": "Compat.takeAll",
  "Request.succeed": "Compat.answer",
  "Schedule.addDelay": "Compat.addDelay",
  "Stream.toQueue": "Compat.toQueue",
  "Tracer.make": "Compat.tracer"
}

/** Members of values, which have such a name nowhere else. */
export const properties: Readonly<Record<string, string>> = {
  currentContext: "context",
  unsafeCurrentTimeMillis: "currentTimeMillisUnsafe",
  unsafeCurrentTimeNanos: "monotonicTimeNanosUnsafe",
  unsafeMap: "mapUnsafe",
  unsafePoll: "pollUnsafe"
}

/** Modules that Effect 4 does not have, or has in another shape: a source that uses one needs a twin. */
export const absentInSources: ReadonlySet<string> = new Set([
  "ConfigError",
  "DefaultServices",
  "FiberId",
  "FiberRef",
  "FiberRefs",
  "Runtime",
  "RuntimeFlags",
  "ScheduleDecision",
  "ScheduleIntervals",
  "Supervisor"
])

/** Modules that tests have from `shims` instead, in the shape of Effect 3's. */
export const shimModules: ReadonlySet<string> = new Set([
  "FiberId",
  "FastCheck",
  "FiberRef",
  "MetricState",
  "Runtime",
  "Sleeps",
  "TestContext"
])
