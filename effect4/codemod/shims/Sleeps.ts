/** Who sleeps on a `TestClock`, which that of Effect 4 does not say. */
import { it as vitestIt } from "@effect/vitest"
import { Clock, Effect } from "effect"

const sleepers = new WeakMap<Clock.Clock, { count: number }>()

/** The same clock, whose sleepers are counted. */
export const counting = <C extends Clock.Clock>(clock: C): C => {
  const asleep = { count: 0 }
  const counted = Object.assign(Object.create(clock) as C, {
    sleep: (duration: Parameters<C["sleep"]>[0]) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          asleep.count++
        }),
        () => clock.sleep(duration),
        () =>
          Effect.sync(() => {
            asleep.count--
          })
      )
  })
  sleepers.set(counted, asleep)
  return counted
}

/** One for each of them. */
export const sleeps = (): Effect.Effect<ReadonlyArray<undefined>> =>
  Effect.map(Clock.Clock, (clock) => {
    const asleep = sleepers.get(clock)
    if (asleep === undefined) throw new Error("nobody counts the sleepers of this clock")
    return Array.from({ length: asleep.count }, () => undefined)
  })

type Effectful = typeof vitestIt.effect

const counted: Effectful = Object.assign(
  ((name, self, timeout) =>
    vitestIt.effect(
      name,
      (context) =>
        Effect.flatMap(Clock.Clock, (clock) =>
          Effect.provideService(Effect.suspend(() => self(context)), Clock.Clock, counting(clock))),
      timeout
    )) as Effectful,
  { each: vitestIt.effect.each, skip: vitestIt.effect.skip, only: vitestIt.effect.only, fails: vitestIt.effect.fails }
) as Effectful

/** `it`, whose `effect` counts. */
export const it = new Proxy(vitestIt, {
  get: (target, name, receiver) => name === "effect" ? counted : Reflect.get(target, name, receiver)
})
