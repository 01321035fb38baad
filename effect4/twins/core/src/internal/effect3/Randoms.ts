/** Effect's random numbers, without an effect. */
import { type Random } from "effect"

/** From 0 to 1, whatever the service does. */
export const nextRandom = (random: Random.Random): number => {
  try {
    const next = random.nextDoubleUnsafe()
    return next >= 0 && next <= 1 ? next : 0.5
  } catch {
    return 0.5
  }
}
