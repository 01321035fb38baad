/** Clocks that may throw, stand still or jump, and the timers set on them. */
import { Clock, Context, Duration, Effect } from "effect"
import { type CurrentFiber, forkNow, interruptLater } from "./Fibers.js"
import { type Origin } from "./Refs.js"

const liveClock = /* @__PURE__ */ Context.get(Context.empty(), Clock.Clock)

export const clockOf = (fiber: CurrentFiber): Clock.Clock => fiber.getRef(Clock.Clock)

/** A reading beyond this is not a time; nor is an infinite or missing reading, or a read that throws. */
const maxReading = 8.64e15

const readingOf = (read: () => number): number | undefined => {
  try {
    const reading = read()
    return Math.abs(reading) <= maxReading ? reading : undefined
  } catch {
    return undefined
  }
}

/** The time of a clock that is not the machine's own, of which anything may come. */
interface Time {
  /** What is added to its readings, so that time never goes back. */
  offset: number
  now: number
  /** When that was, on the machine's own. */
  at: number
}

const times = /* @__PURE__ */ new WeakMap<Clock.Clock, Time>()

const millisOf = (clock: Clock.Clock): number | undefined =>
  readingOf(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6)

/** Reads the clock; where it cannot be read, time goes on as that of the machine. */
const timeOf = (clock: Clock.Clock, atLeast = -Infinity): Time => {
  const at = performance.now()
  const reading = millisOf(clock)
  let time = times.get(clock)
  if (time === undefined) times.set(clock, time = { offset: 0, now: reading ?? at, at })
  const now = reading === undefined ? time.now + at - time.at : reading + time.offset
  const next = Math.max(time.now, now, atLeast)
  if (reading !== undefined) time.offset += next - now
  time.now = next
  time.at = at
  return time
}

/** Milliseconds that never go back and are always a number, whatever the clock says; for spans of time. */
export const monotonicMillis = (clock: Clock.Clock): number =>
  clock === liveClock ? performance.now() : timeOf(clock).now

/** Milliseconds since the epoch, always a number; for what people read. */
export const wallMillis = (clock: Clock.Clock): number => readingOf(() => clock.currentTimeMillisUnsafe()) ?? Date.now()

/** Whether the clock can be read now; Effect itself reads it for the times of a span. */
const isReadable = (clock: Clock.Clock): boolean => clock === liveClock || millisOf(clock) !== undefined

const units = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds", "nanoseconds"]

/** An object without a unit of time, which Effect 4 takes for 0. */
const isUnitless = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !Duration.isDuration(value) &&
  !units.some((unit) => Object.hasOwn(value, unit))

/** Throws for what is no duration. */
export const toMillis = (duration: Duration.Input): number => {
  if (isUnitless(duration)) throw new Error("Invalid duration")
  return Duration.toMillis(duration)
}

export const maxTimerMillis = 2 ** 31 - 1

/** What a timer on a clock does, and when. */
export interface ClockTimer {
  readonly millis: number
  readonly onTime: () => void
  /** The one before it came back before its time. */
  readonly isEarly: boolean
}

/**
 * Calls back once the time is up, and returns how to call that off. The live clock's own `sleep` is a `setTimeout`
 * behind a fiber, so there the fiber is left out (a tenth of the cost); any other clock is asked to sleep. A clock that
 * cannot be read or cannot sleep, or that comes back early (`isEarly`), is replaced by the machine's own. The time that
 * was waited for then counts as passed.
 */
export const startTimer = (clock: Clock.Clock, origin: Origin, { isEarly, millis, onTime }: ClockTimer): () => void => {
  // A span beyond what a timer can hold comes back early, and whoever asked looks at the clock and asks again.
  const delay = Math.min(Math.max(0, Math.ceil(millis)), maxTimerMillis)
  const due = clock === liveClock ? 0 : monotonicMillis(clock) + delay
  const onMachine = (then: () => void): () => void => {
    const handle = setTimeout(then, delay)
    return () => clearTimeout(handle)
  }
  if (clock === liveClock) return onMachine(onTime)
  const passed = (): void => {
    timeOf(clock, due)
    onTime()
  }
  if (isEarly || !isReadable(clock)) return onMachine(passed)
  let instead: (() => void) | undefined
  let isOff = false
  let hasWaited = delay === 0
  const wait = () => instead = onMachine(passed)
  const unlessOff = (then: () => void) => () => Effect.sync(() => isOff || then())
  const fiber = forkNow(
    Effect.matchCauseEffect(Effect.suspend(() => clock.sleep(Duration.millis(delay))), {
      onFailure: unlessOff(wait),
      onSuccess: unlessOff(() => !hasWaited ? wait() : isReadable(clock) ? onTime() : passed())
    }),
    origin,
    { interruptible: true }
  )
  hasWaited = true
  return () => {
    isOff = true
    instead?.()
    interruptLater(fiber)
  }
}
