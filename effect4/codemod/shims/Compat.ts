/** What tests for Effect 3 call and Effect 4 does not have, in the same shape. */
import { it as vitestIt } from "@effect/vitest"
import {
  Cause,
  Clock,
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Hash,
  HashMap,
  Layer,
  Logger,
  ManagedRuntime,
  Metric,
  Option,
  PubSub,
  Pull,
  Queue,
  type Random,
  References,
  Request,
  RequestResolver,
  Result,
  Schedule,
  type Scheduler,
  type Scope,
  Stream,
  type Tracer
} from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { it } from "vitest"

export const struct = <A extends object>(fields: A): A => fields

export const tuple = <const A extends ReadonlyArray<unknown>>(...items: A): A => items

export const array = <A extends ReadonlyArray<unknown>>(items: A): A => items

export const poll = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Option.Option<Exit.Exit<A, E>>> =>
  Effect.sync(() => Option.fromNullishOr(fiber.pollUnsafe()))

/** In a turn of its own: what was forked before has begun by then. */
export const interruptFork = (fiber: Fiber.Fiber<any, any>): Effect.Effect<void> =>
  Effect.asVoid(Effect.forkDetach(Fiber.interrupt(fiber)))

export const currentFiber = (): Option.Option<Fiber.Fiber<any, any>> => Option.fromNullishOr(Fiber.getCurrent())

/** Once and so many times more, with no schedule in between, which would take turns of its own. */
export const repeatN: {
  (times: number): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, times: number): Effect.Effect<A, E, R>
} = ((self: Effect.Effect<unknown> | number, times?: number) => {
  if (typeof self === "number") return (it: Effect.Effect<unknown>) => repeatN(it, self)
  const loop = (left: number): Effect.Effect<unknown> =>
    Effect.flatMap(self, (a) => left <= 0 ? Effect.succeed(a) : loop(left - 1))
  return Effect.suspend(() => loop(times!))
}) as any

export const dieOption = <E>(cause: Cause.Cause<E>): Option.Option<unknown> =>
  Option.map(Result.getSuccess(Cause.findDie(cause)), (die) => die.defect)

export const failures = <E>(cause: Cause.Cause<E>): ReadonlyArray<E> =>
  cause.reasons.filter(Cause.isFailReason).map((reason) => reason.error)

export const defects = <E>(cause: Cause.Cause<E>): ReadonlyArray<unknown> =>
  cause.reasons.filter(Cause.isDieReason).map((reason) => reason.defect)

export const flattenExit = <A, E, E2>(exit: Exit.Exit<Exit.Exit<A, E>, E2>): Exit.Exit<A, E | E2> =>
  Exit.isSuccess(exit) ? exit.value : exit as Exit.Exit<never, E2>

export const failingLayer = <E>(error: E): Layer.Layer<any, E> =>
  Layer.effectDiscard(Effect.fail(error)) as Layer.Layer<any, E>

export const zipLoggers = <A, B>(
  first: Logger.Logger<unknown, A>,
  second: Logger.Logger<unknown, B>
): Logger.Logger<unknown, readonly [A, B]> =>
  Logger.make((options) => [first.log(options), second.log(options)] as const)

/** Sets a reference in the fiber at hand, until its scope closes. */
export const locallyScoped = <A>(reference: Context.Reference<A>, value: A) =>
  Effect.withFiber((fiber) => {
    const before = fiber.getRef(reference)
    fiber.setContext(Context.add(fiber.context, reference, value))
    return Effect.addFinalizer(() =>
      Effect.withFiber((closer) => Effect.sync(() => closer.setContext(Context.add(closer.context, reference, before))))
    )
  })

type Values<Arbs> = { -readonly [K in keyof Arbs]: Arbs[K] extends fc.Arbitrary<infer A> ? A : never }

/** A test of a property, with arbitraries of fast-check. */
export const prop = <const Arbs extends ReadonlyArray<fc.Arbitrary<any>> | Readonly<Record<string, fc.Arbitrary<any>>>>(
  name: string,
  arbitraries: Arbs,
  property: (values: Values<Arbs>) => boolean | void,
  options?: { readonly fastCheck?: fc.Parameters<any>; readonly timeout?: number } | number
): void => {
  const arbitrary = (Array.isArray(arbitraries)
    ? fc.tuple(...arbitraries)
    : fc.record(arbitraries as Record<string, fc.Arbitrary<any>>)) as fc.Arbitrary<Values<Arbs>>
  const { fastCheck, timeout } = typeof options === "object" ? options : { fastCheck: undefined, timeout: options }
  it(name, () => {
    fc.assert(fc.property(arbitrary, property), fastCheck)
  }, timeout)
}

const effectProp =
  (run: (title: string, self: () => Effect.Effect<unknown, unknown, any>, timeout?: number) => void) =>
  <const Arbs extends ReadonlyArray<fc.Arbitrary<any>>>(
    name: string,
    arbitraries: Arbs,
    property: (values: Values<Arbs>) => Effect.Effect<unknown, unknown, any>,
    options?: { readonly fastCheck?: fc.Parameters<any>; readonly timeout?: number }
  ): void => {
    const { fastCheck, timeout } = options ?? {}
    const examples = fc.sample(fc.tuple(...arbitraries) as fc.Arbitrary<any>, { numRuns: 100, ...fastCheck })
    run(
      name,
      () =>
        Effect.forEach(examples, (values) =>
          Effect.catchCause(
            Effect.scoped(Effect.provide(Effect.suspend(() => property(values)), TestClock.layer())),
            (cause) => Effect.die(new Error(`with ${fc.stringify(values)}: ${Cause.pretty(cause)}`))
          ), { discard: true }),
      timeout
    )
  }

export const propEffect = effectProp(vitestIt.effect)

/** The exit of what is interrupted. */
export const interrupt = <A, E>(fiber: Fiber.Fiber<A, E>): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.andThen(Fiber.interrupt(fiber), Fiber.await(fiber))

type TapError<X> = X extends Effect.Effect<any, infer E, any> ? E : never
type TapServices<X> = X extends Effect.Effect<any, any, infer R> ? R : never

/** What the function gives is ignored, be it an effect or not. */
export const tap: {
  <A, X>(
    f: ((a: NoInfer<A>) => X) | X
  ): <E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | TapError<X>, R | TapServices<X>>
  <A, E, R, X>(
    self: Effect.Effect<A, E, R>,
    f: ((a: NoInfer<A>) => X) | X
  ): Effect.Effect<A, E | TapError<X>, R | TapServices<X>>
} = ((...args: ReadonlyArray<any>) => {
  if (args.length === 1) return (self: any) => (tap as any)(self, args[0])
  const [self, f] = args
  return Effect.tap(self, (a) => {
    const next = typeof f === "function" && !Effect.isEffect(f) ? f(a) : f
    return Effect.isEffect(next) ? next : next instanceof Promise ? Effect.promise(() => next) : Effect.void
  })
}) as any

/** Log annotations are a record. */
export const logAnnotations = Effect.map(
  References.CurrentLogAnnotations,
  (annotations): ReadonlyMap<string, unknown> => new Map(Object.entries(annotations))
)

interface Line extends Logger.Options<unknown> {
  readonly annotations: ReadonlyMap<string, unknown>
}

export const logger = <A>(log: (line: Line) => A): Logger.Logger<unknown, A> =>
  Logger.make((options) =>
    log({ ...options, annotations: new Map(Object.entries(options.fiber.getRef(References.CurrentLogAnnotations))) })
  )

export const takeAll = <A, E>(from: Queue.Dequeue<A, E> | PubSub.Subscription<A>): Effect.Effect<ReadonlyArray<A>, E> =>
  Queue.isDequeue(from) ? Queue.takeAll(from as Queue.Dequeue<A, E>) : PubSub.takeAll(from as PubSub.Subscription<A>)

/** The metrics, each with its key and its state. */
export const metrics = Effect.map(Metric.snapshot, (all) =>
  all.map(({ attributes, id, state, type }) => ({
    metricKey: { name: id, tags: Object.entries(attributes ?? {}).map(([key, value]) => ({ key, value })) },
    metricState: Object.assign({ type }, state)
  })))

export const tagged = <In, State>(metric: Metric.Metric<In, State>, key: string, value: string) =>
  Metric.withAttributes(metric, { [key]: value })

export const tagMetrics = (key: string, value: string) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    Metric.CurrentMetricAttributes,
    (attributes) => Effect.provideService(self, Metric.CurrentMetricAttributes, { ...attributes, [key]: value })
  )

export const liveClock = (): Clock.Clock => Clock.Clock.defaultValue()

export const configFromMap = (values: ReadonlyMap<string, string>): ConfigProvider.ConfigProvider =>
  ConfigProvider.fromEnvRecord(Object.fromEntries(values))

export const runForkIn = <A, E>(
  effect: Effect.Effect<A, E>,
  { scope, ...options }: Effect.RunOptions & { readonly scope: Scope.Scope }
): Fiber.Fiber<A, E> => {
  const fiber = Effect.runFork(effect, options)
  Fiber.runIn(fiber, scope)
  return fiber
}

export const subtract = (from: Duration.Input, that: Duration.Input): Duration.Duration =>
  Duration.subtract(Duration.fromInputUnsafe(from), Duration.fromInputUnsafe(that))

/** A tracer whose spans are made of arguments in a row. */
export const tracer = (
  { context, span }: {
    readonly span: (
      name: string,
      parent: Option.Option<Tracer.AnySpan>,
      annotations: Context.Context<never>,
      links: Array<Tracer.SpanLink>,
      startTime: bigint,
      kind: Tracer.SpanKind
    ) => Tracer.Span
    readonly context?: (f: () => any, fiber: any) => any
  }
): Tracer.Tracer => ({
  span: ({ annotations, kind, links, name, parent, startTime }) =>
    span(name, parent, annotations, links, startTime, kind),
  ...context === undefined
    ? {}
    : { context: (primitive, fiber) => context(() => primitive["~effect/Effect/evaluate"](fiber), fiber) }
})

/** A layer that is built once, in the scope at hand, by whoever needs it first. */
export const memoize = <A, E, R>(
  layer: Layer.Layer<A, E, R>
): Effect.Effect<Layer.Layer<A, E, R>, never, Scope.Scope> =>
  Effect.flatMap(
    Effect.scope,
    (scope) => Effect.map(Effect.cached(Layer.buildWithScope(layer, scope)), (built) => Layer.effectContext(built))
  )

type TapInput = <In2>(f: (input: In2) => Effect.Effect<unknown>) => <Out, In>(
  self: Schedule.Schedule<Out, In>
) => Schedule.Schedule<Out, In & In2>

export const tapInput: TapInput = (f) => (self) => Schedule.tap(self, ({ input }) => f(input as never)) as any

export const tapOutput = <Out2>(f: (output: Out2) => Effect.Effect<unknown>) =>
<Out extends Out2, In>(
  self: Schedule.Schedule<Out, In>
): Schedule.Schedule<Out, In> => Schedule.tap(self, ({ output }) => f(output))

export const identity = <A>(): Schedule.Schedule<A, A> =>
  Schedule.fromStep(
    Effect.succeed((_now: number, input: A) => Effect.succeed([input, Duration.zero] as [A, Duration.Duration]))
  )

export const addDelayEffect: {
  <Out, R>(
    f: (output: Out) => Effect.Effect<Duration.Input, never, R>
  ): <In>(self: Schedule.Schedule<Out, In>) => Schedule.Schedule<Out, In, never, R>
  <Out, In, R>(
    self: Schedule.Schedule<Out, In>,
    f: (output: Out) => Effect.Effect<Duration.Input, never, R>
  ): Schedule.Schedule<Out, In, never, R>
} = ((...args: ReadonlyArray<any>) => {
  if (args.length === 1) return (self: any) => (addDelayEffect as any)(self, args[0])
  return Schedule.addDelay(args[0], ({ output }) => Effect.map(args[1](output), Duration.fromInputUnsafe as any))
}) as any

export const addDelay: {
  <Out>(f: (output: Out) => Duration.Input): <In>(self: Schedule.Schedule<Out, In>) => Schedule.Schedule<Out, In>
  <Out, In>(self: Schedule.Schedule<Out, In>, f: (output: Out) => Duration.Input): Schedule.Schedule<Out, In>
} = ((...args: ReadonlyArray<any>) => {
  const f = args[args.length - 1]
  return (addDelayEffect as any)(...args.slice(0, -1), (output: unknown) => Effect.succeed(f(output)))
}) as any

export const makeWithState = (_initial: unknown, step: () => Effect.Effect<never>): Schedule.Schedule<never> =>
  Schedule.fromStep(Effect.succeed(() => step()))

/** The delay of each step, and nothing for that which ends it. */
export const delaysOf = (schedule: Schedule.Schedule<unknown>, _now: number, inputs: ReadonlyArray<unknown>) =>
  Effect.gen(function*() {
    const step = yield* Schedule.toStep(schedule)
    const delays: Array<Duration.Duration> = []
    let now = 0
    for (const input of inputs) {
      const delay = yield* Pull.matchEffect(step(now, input), {
        onSuccess: ([, next]) => Effect.succeed<Duration.Duration | undefined>(next),
        onDone: () => Effect.succeed(undefined),
        onFailure: Effect.failCause
      })
      delays.push(delay ?? Duration.zero)
      if (delay === undefined) break
      now += Duration.toMillis(delay)
    }
    return delays
  })

/** How many finalizers a scope has, of Effect's own or of ours. */
export const finalizerCount = (scope: any): number => {
  if (typeof scope.count === "number") return scope.count
  const { finalizer, finalizers } = scope.state
  return finalizers?.count ?? finalizers?.size ?? (finalizer === undefined ? 0 : 1)
}

/** Whether a cause is a defect and nothing else. */
export const isDieType = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length === 1 && Cause.isDieReason(cause.reasons[0]!)

/** Of a map of hashes, or of a record. */
export const sizeOf = (all: object): number => HashMap.isHashMap(all) ? HashMap.size(all) : Object.keys(all).length

export interface ManagedRuntimeOf<R, E> extends ManagedRuntime.ManagedRuntime<R, E> {
  readonly runtime: () => Promise<Context.Context<R>>
  readonly runtimeEffect: Effect.Effect<Context.Context<R>, E>
}

/** A runtime says its context. */
export const managedRuntime = <R, E>(layer: Layer.Layer<R, E>, memoMap?: Layer.MemoMap): ManagedRuntimeOf<R, E> => {
  const runtime = ManagedRuntime.make(layer, memoMap === undefined ? undefined : { memoMap })
  return Object.assign(runtime, { runtime: runtime.context, runtimeEffect: runtime.contextEffect })
}

export const acquireReleaseInterruptible = <A, E, R, R2>(
  acquire: Effect.Effect<A, E, R>,
  release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, never, R2>
) => Effect.acquireRelease(acquire, (_, exit) => release(exit), { interruptible: true })

export const streamOf = <A, E, R, R2>(
  acquire: Effect.Effect<A, E, R>,
  release: (value: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, never, R2>
) => Stream.scoped(Stream.fromEffect(Effect.acquireRelease(acquire, release)))

export const isShutdown = (queue: Queue.Dequeue<any, any>): Effect.Effect<boolean> =>
  Effect.sync(() => queue.state._tag !== "Open")

/** The tracer at hand, asked for a span by arguments in a row. */
export const tracerInUse = Effect.map(Effect.tracer, (tracer) => ({
  span: (
    name: string,
    parent: Option.Option<Tracer.AnySpan>,
    annotations: Context.Context<never>,
    links: Array<Tracer.SpanLink>,
    startTime: bigint,
    kind: Tracer.SpanKind
  ) => tracer.span({ name, parent, annotations, links, startTime, kind, root: Option.isNone(parent), sampled: true })
}))

export const scheduler = (
  { scheduleTask, shouldYield }: {
    readonly shouldYield: () => boolean
    readonly scheduleTask: (task: () => void) => void
  }
): Scheduler.Scheduler => ({
  executionMode: "async",
  shouldYield,
  makeDispatcher: () => ({ scheduleTask, flush: () => {} })
})

/** Whether a cause is one typed failure and nothing else. */
export const isFailType = (cause: Cause.Cause<unknown>): boolean =>
  cause.reasons.length === 1 && Cause.isFailReason(cause.reasons[0]!)

/** Whoever is interrupted does not wait for its end. */
export const disconnect = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(
      Effect.forkDetach(restore(self)),
      (fiber) => Effect.onInterrupt(restore(Fiber.join(fiber)), () => Effect.sync(() => fiber.interruptUnsafe()))
    )
  )

export const iterate = <A, E, R>(
  initial: A,
  { body, while: goesOn }: { readonly while: (a: A) => boolean; readonly body: (a: A) => Effect.Effect<A, E, R> }
): Effect.Effect<A, E, R> =>
  Effect.suspend(() =>
    goesOn(initial)
      ? Effect.flatMap(body(initial), (next) => iterate(next, { body, while: goesOn }))
      : Effect.succeed(initial)
  )

/** Numbers that are the same for the same seed. */
export const random = (seed: number | string): Random.Random => {
  let state = ((typeof seed === "string" ? Hash.string(seed) : seed) >>> 0) + 1
  const nextIntUnsafe = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state
  }
  return { nextIntUnsafe, nextDoubleUnsafe: () => (nextIntUnsafe() >>> 0) / 2 ** 32 }
}

/** The queue gives arrays of values. */
export const toQueue = <A, E, R>(stream: Stream.Stream<A, E, R>) =>
  Stream.toQueue(Stream.map(Stream.chunks(stream), (chunk) => chunk), { capacity: "unbounded" })

export const fromTake = <A>(take: A): Effect.Effect<A> => Effect.succeed(take)

/** What is asked for is in the entry, which is what is answered. */
export const makeBatched = (
  answerAll: (requests: ReadonlyArray<any>) => Effect.Effect<void>
): RequestResolver.RequestResolver<any> =>
  RequestResolver.make<any>((entries) =>
    answerAll(entries.map((entry) => Object.assign(Object.create(entry), entry.request)))
  )

export const answer = (request: any, value: unknown): Effect.Effect<void> => Request.succeed(request, value as never)

/** A fiber that can be interrupted where the one that forks it can. */
export const fork = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkChild(self, { uninterruptible: "inherit" })

export const forkDaemon = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  Effect.forkDetach(self, { uninterruptible: "inherit" })
