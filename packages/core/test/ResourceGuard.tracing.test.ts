/** Shows `Tracing`. */
import { describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Fiber, Layer, Option, Scope, TestClock, Tracer } from "effect"
import { ResourceGuard, ResourceRegistry } from "../src/index.js"

interface Recorded {
  readonly name: string
  readonly attributes: Map<string, unknown>
  readonly links: ReadonlyArray<Tracer.SpanLink>
  readonly parent: string | undefined
  readonly span: Tracer.Span
  ended: Exit.Exit<unknown, unknown> | undefined
}

const recording = () => {
  const spans: Array<Recorded> = []
  const tracer = Tracer.make({
    span: (name, parent, context, links, startTime, kind) => {
      const attributes = new Map<string, unknown>()
      const span: Tracer.Span = {
        _tag: "Span",
        name,
        spanId: String(spans.length + 1),
        traceId: "trace",
        parent,
        context: context as Context.Context<never>,
        status: { _tag: "Started", startTime },
        attributes,
        links,
        sampled: true,
        kind,
        end: (_, exit) => {
          recorded.ended = exit
        },
        attribute: (key, value) => {
          attributes.set(key, value)
        },
        event: () => {},
        addLinks: () => {}
      }
      const recorded: Recorded = {
        name,
        attributes,
        links,
        parent: Option.getOrUndefined(Option.map(parent, (outer) => outer.spanId)),
        span,
        ended: undefined
      }
      spans.push(recorded)
      return span
    },
    context: (f) => f()
  })
  return { spans, layer: Layer.setTracer(tracer) }
}

describe("spans", () => {
  it.effect("spans of acquire and of each cleanup attempt, the cleanup's linked to the acquire's, with the resource's id", () => {
    const { layer, spans } = recording()
    return Effect.gen(function*() {
      const scope = yield* Scope.make()
      let attempts = 0
      const guard = yield* Scope.extend(
        ResourceGuard.make(
          Effect.withSpan(Effect.void, "connect"),
          () => Effect.withSpan(++attempts === 1 ? Effect.fail("refused") : Effect.void, "disconnect"),
          { typeName: "Database", recovery: { strategy: () => attempts === 1 ? "Retry" : "Fail" } }
        ),
        scope
      ).pipe(Effect.withSpan("startup"))
      // The default schedule pauses before the second attempt.
      const closing = yield* Effect.fork(Effect.withSpan(Scope.close(scope, Exit.void), "stop"))
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(closing)
      const named = (name: string) => spans.filter((span) => span.name === name)
      const [acquire] = named("patinox.acquire")
      const cleanups = named("patinox.cleanup")
      expect(acquire!.parent).toBe(named("startup")[0]!.span.spanId)
      expect(named("connect")[0]!.parent).toBe(acquire!.span.spanId)
      expect(cleanups).toHaveLength(2)
      for (const [i, cleanup] of cleanups.entries()) {
        // It may come long after the acquire and what was around that: linked, and nobody's child.
        expect(cleanup.parent).toBeUndefined()
        expect(cleanup.links.map((link) => link.span)).toEqual([acquire!.span])
        expect(Object.fromEntries(cleanup.attributes)).toMatchObject({
          "patinox.resource.id": guard.id,
          "patinox.resource.type": "Database",
          "patinox.cleanup.attempt": i + 1
        })
        expect(named("disconnect")[i]!.parent).toBe(cleanup.span.spanId)
      }
      expect(cleanups.map((cleanup) => cleanup.ended?._tag)).toEqual(["Failure", "Success"])
    }).pipe(Effect.provide(ResourceRegistry.layerTest), Effect.provide(layer))
  })

  it.effect("spans are none where nobody traces", () =>
    Effect.gen(function*() {
      let inside: Option.Option<Tracer.AnySpan> = Option.none()
      yield* Effect.scoped(ResourceGuard.make(Effect.void, () =>
        Effect.map(Effect.option(Effect.currentSpan), (span) => {
          inside = span
        })))
      expect(Option.isNone(inside)).toBe(true)
    }).pipe(Effect.provide(ResourceRegistry.layerTest)))

  it.effect("spans are none where tracing is disabled", () => {
    const { layer, spans } = recording()
    return Effect.scoped(ResourceGuard.make(Effect.void, () => Effect.void)).pipe(
      Effect.withTracerEnabled(false),
      Effect.provide(ResourceRegistry.layerTest),
      Effect.provide(layer),
      Effect.andThen(Effect.sync(() => expect(spans).toEqual([])))
    )
  })
})
