/** Effect's random numbers, without an effect. */
import { Effect, type Random } from "effect"

/** From 0 to 1, whatever the service does. */
export const nextRandom = (random: Random.Random): number => {
  const exit = Effect.runSyncExit(Effect.suspend(() => random.next))
  return exit._tag === "Success" && exit.value >= 0 && exit.value <= 1 ? exit.value : 0.5
}
