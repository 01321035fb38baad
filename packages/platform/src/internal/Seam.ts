/**
 * What this package takes from the insides of Effect 3: the fiber that runs, and its end. An edition for another major of
 * Effect rewrites this file and leaves the others as they are.
 */
import { Effect, type Fiber } from "effect"

export type CurrentFiber = Fiber.RuntimeFiber<any, any>

export const withFiber: <A, E, R>(f: (fiber: CurrentFiber) => Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> =
  Effect.withFiberRuntime

/** Calls back once, when the fiber has ended; at once if it has. */
export const onEnd = (fiber: CurrentFiber, then: () => void): void => fiber.addObserver(then)
