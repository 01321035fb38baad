/** FiberRefs as tests for Effect 3 use them: references of the context. One that is set is set for the fiber at hand. */
import { Context, Effect, References, Scheduler } from "effect"

export type FiberRef<A> = Context.Reference<A>

let made = 0

export const unsafeMake = <A>(initial: A, _options?: unknown): FiberRef<A> =>
  Context.Reference<A>(`effect4/FiberRef/${++made}`, { defaultValue: () => initial })

export const make = <A>(initial: A, _options?: unknown): Effect.Effect<FiberRef<A>> =>
  Effect.sync(() => unsafeMake(initial))

export const get = <A>(ref: FiberRef<A>): Effect.Effect<A> =>
  Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(ref)))

export const set = <A>(ref: FiberRef<A>, value: A): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.setContext(Context.add(fiber.context, ref, value))
    return Effect.void
  })

export const currentScheduler = Scheduler.Scheduler

export const currentMaxOpsBeforeYield = Scheduler.MaxOpsBeforeYield

export const currentLogAnnotations = References.CurrentLogAnnotations
