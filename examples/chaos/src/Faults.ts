/** Faults of the service, at random by a seed: errors that cannot be shown, throwing loggers, clocks that are set. */
import * as Untellable from "@patinox/vitest/Untellable"
import { Cause, Clock, Context, Effect, Layer, Logger } from "effect"
import { random } from "./random.js"

export class Faults extends Context.Tag("chaos/Faults")<Faults, {
  /** Whether faults occur: not during the start of the service, and not while it recovers. */
  active: boolean
  /** Fails, or dies, with a value that throws at being looked at, so often. */
  readonly untellable: (share: number) => Effect.Effect<void, unknown>
  /** Throws such a value, so often: for what is called as a function. */
  readonly throwing: (share: number, forms?: ReadonlyArray<Untellable.Form>) => void
  readonly chance: (share: number) => boolean
  /** How often what went wrong. */
  readonly met: { "untellable errors": number; "untellable throws": number; "clocks set": number }
}>() {}

type Shape = Context.Tag.Service<typeof Faults>

/** A logger is called by Effect's own loop, and no fiber of Effect 3 survives a thrown proxy: whoever logs would be gone. */
const loggable = ["error", "value", "doubly", "circular", "nullPrototype", "wrongTypes"] as const

export const make = (seed: number): Shape => {
  const next = random(seed)
  const pick = <A>(from: ReadonlyArray<A>): A => from[Math.floor(next() * from.length)]!
  const faults: Shape = {
    active: false,
    met: { "untellable errors": 0, "untellable throws": 0, "clocks set": 0 },
    chance: (share) => faults.active && next() < share,
    untellable: (share) =>
      Effect.suspend(() => {
        if (!faults.chance(share)) return Effect.void
        faults.met["untellable errors"]++
        const value = Untellable.make(pick(Untellable.forms))
        return Effect.failCause(next() < 0.5 ? Cause.fail(value) : Cause.die(value))
      }),
    throwing: (share, forms = Untellable.forms) => {
      if (!faults.chance(share)) return
      faults.met["untellable throws"]++
      throw Untellable.make(pick(forms))
    }
  }
  return faults
}

const day = 86_400_000

/** The system's clock as somebody sets it: its wall time jumps, its monotonic time does not. */
const clockOf = (faults: Shape): Clock.Clock => {
  const real = Clock.make()
  let offset = 0
  const wall = () => {
    if (faults.chance(0.01)) {
      faults.met["clocks set"]++
      offset = faults.chance(0.5) ? day : -day
    }
    return real.unsafeCurrentTimeMillis() + offset
  }
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: wall,
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
    currentTimeMillis: Effect.sync(wall),
    currentTimeNanos: real.currentTimeNanos,
    sleep: (duration) => real.sleep(duration)
  }
}

/** The services of a process in which such things happen. */
export const layer = (faults: Shape): Layer.Layer<Faults> =>
  Layer.mergeAll(
    Layer.succeed(Faults, faults),
    Layer.setClock(clockOf(faults)),
    Logger.add(Logger.make(() => faults.throwing(0.2, loggable)))
  )
