/** Spans of acquire and cleanup. A cleanup may come hours after its acquire, so it is linked to it and not its child. */
import { Effect, type Exit } from "effect"
import * as Fibers from "../effect3/Fibers.js"
import { attributesOf, type CleanupTarget } from "./CleanupTarget.js"

/** A tracer or a clock that throws, before or after the effect, costs the span and changes no outcome. */
const orUntraced = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  traced: (effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    let end: Exit.Exit<A, E> | undefined
    const noted = Effect.onExit(effect, (exit) =>
      Effect.sync(() => {
        end = exit
      }))
    // Without an end the span was not even begun.
    return Effect.catchAllCause(Effect.suspend(() => traced(noted)), () => end ?? effect)
  })

export const acquire = <A, E, R>(entry: CleanupTarget, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  orUntraced(effect, (noted) =>
    Effect.useSpan("patinox.acquire", { attributes: attributesOf(entry) }, (span) => {
      entry.acquireSpan = span
      return Effect.withParentSpan(noted, span) as Effect.Effect<A, E, R>
    }))

export const cleanup = <A, E, R>(
  entry: CleanupTarget,
  attempt: number,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  orUntraced(effect, (noted) =>
    Effect.withSpan(noted, "patinox.cleanup", {
      attributes: { ...attributesOf(entry), "patinox.cleanup.attempt": attempt },
      links: [Fibers.linkTo(entry.acquireSpan!)],
      root: true
    }) as Effect.Effect<A, E, R>)
