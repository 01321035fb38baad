/** Small effects that the tests of several packages need. */
import { type Duration, Effect, Exit, Scope, Stream, TestClock } from "effect"

/** Lets everything go on that does not wait for the clock. */
export const turns = Effect.repeatN(Effect.yieldNow(), 50)

/** Moves the test's clock, and lets everything go on. */
export const after = (time: Duration.DurationInput) => Effect.andThen(TestClock.adjust(time), turns)

/** The events of something that has some, from now on. */
export const listen = <E>({ events }: { readonly events: Stream.Stream<E> }) =>
  Effect.gen(function*() {
    const seen: Array<E> = []
    yield* Effect.forkScoped(Stream.runForEach(events, (event) => Effect.sync(() => seen.push(event))))
    yield* turns
    return seen
  })

/** A scope that is closed by hand, for what cannot be closed without moving the clock. */
export const openScope = Effect.map(Scope.make(), (scope) => ({ scope, close: Scope.close(scope, Exit.void) }))
