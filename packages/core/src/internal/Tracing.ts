/** Spans of acquire and cleanup. A cleanup may come hours after its acquire, so it is linked to it and not its child. */
import { Effect, type Tracer } from "effect"
import { attributesOf, type Entry } from "./Entry.js"

export const acquire = <A, E, R>(entry: Entry, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.useSpan("patinox.acquire", { attributes: attributesOf(entry) }, (span) => {
    entry.acquireSpan = span
    return Effect.withParentSpan(effect, span) as Effect.Effect<A, E, R>
  })

export const cleanup = <A, E, R>(
  entry: Entry,
  attempt: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const link: Tracer.SpanLink = { _tag: "SpanLink", span: entry.acquireSpan!, attributes: {} }
  return Effect.withSpan(effect, "patinox.cleanup", {
    attributes: { ...attributesOf(entry), "patinox.cleanup.attempt": attempt },
    links: [link],
    root: true
  }) as Effect.Effect<A, E, R>
}
