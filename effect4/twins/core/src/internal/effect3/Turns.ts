/** Turns of the event loop: long work gives others theirs. */
import { Effect, Scheduler } from "effect"
import { callback, forkNow, withFiber } from "./Fibers.js"
import { type Origin } from "./Refs.js"

const fewTurns: Effect.Effect<void> = /* @__PURE__ */ (() =>
  Effect.andThen(
    Effect.andThen(Effect.yieldNow, Effect.yieldNow),
    Effect.andThen(Effect.yieldNow, Effect.andThen(Effect.yieldNow, Effect.yieldNow))
  ))()

/** Runs `then` after every fiber that is ready now has had a turn. */
export const afterTurns = (origin: Origin, then: () => void): void => {
  forkNow(Effect.andThen(fewTurns, Effect.sync(then)), origin)
}

const soon: (then: () => void) => void = (globalThis as any).setImmediate ?? ((then) => setTimeout(then, 0))

/** Those that have to do all in one call, and whether that is over: no microtask runs within a call. */
const calls = /* @__PURE__ */ new WeakMap<Scheduler.Scheduler, { isOver: boolean }>()

const isInOneCall = (scheduler: Scheduler.Scheduler): boolean => {
  if (scheduler.executionMode !== "sync") return false
  // Of another kind nobody knows how its turns are taken.
  if (!(scheduler instanceof Scheduler.MixedScheduler)) return true
  let call = calls.get(scheduler)
  if (call === undefined) {
    const begun: { isOver: boolean } = { isOver: false }
    calls.set(scheduler, call = begun)
    queueMicrotask(() => {
      begun.isOver = true
    })
  }
  return !call.isOver
}

/** Lets timers, input and output have a turn, beside other fibers; not while all has to happen in one call. */
export const nextTurn: Effect.Effect<void> = /* @__PURE__ */ withFiber((fiber) =>
  isInOneCall(fiber.cache.scheduler)
    ? Effect.yieldNow
    : callback<void>((resume) => soon(() => resume(Effect.void)))
)

/** Runs `then` once timers, input and output have had a turn, too. */
export const afterTurnOfLoop = (origin: Origin, then: () => void): void => {
  forkNow(Effect.andThen(nextTurn, Effect.sync(then)), origin)
}

/** How much is done before others have a turn: by time, as some of it takes longer, but always some. */
export class Turn {
  private began = 0
  private done = 0

  isOver(): boolean {
    if (++this.done <= 4) return false
    const now = performance.now()
    if (this.began === 0) {
      this.began = now
      // What comes in a later turn of the loop has that one to itself, without having asked for it.
      soon(this.begin)
    }
    return now - this.began > 4
  }

  private readonly begin = (): void => {
    this.began = this.done = 0
  }

  /** Others have their turn, and then this one begins again. */
  get next(): Effect.Effect<void> {
    return Effect.andThen(nextTurn, Effect.sync(this.begin))
  }
}

/** Does something for each, and then the rest: in this turn as far as it goes, and on in others. */
export const inTurns = <A>(
  origin: Origin,
  items: Iterable<A>,
  each: (item: A) => void,
  rest: () => void = () => {}
): void => {
  const iterator = items[Symbol.iterator]()
  const turn = new Turn()
  const go = (): void => {
    for (let next = iterator.next(); next.done !== true; next = iterator.next()) {
      each(next.value)
      if (turn.isOver()) {
        forkNow(Effect.andThen(turn.next, Effect.sync(go)), origin)
        return
      }
    }
    rest()
  }
  go()
}
