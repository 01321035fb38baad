/** What a fiber carries besides its program: its context, which holds its services, log settings and tracer. */
import { Context, Effect, type Fiber } from "effect"

type AnyFiber = Fiber.Fiber<any, any>

/** What a release needs of the fiber that acquired: its context, with its log settings and tracer. */
export type Origin = Context.Context<never>

/** The fiber's own record, shared and not copied. */
export const originOf = (fiber: AnyFiber): Origin => fiber.context

/**
 * A fiber's record as it is now. The earlier record where both say the same, as each setting makes a new record: then
 * many resources share one.
 */
export const laterOrigin = (before: Origin, after: Origin): Origin => {
  if (before === after) return before
  const { mapUnsafe: known } = before
  const { mapUnsafe: now } = after
  if (now.size !== known.size) return after
  for (const [key, value] of now) if (known.get(key) !== value) return after
  return before
}

export const contextOf = (origin: Origin): Context.Context<never> => origin

/** The services of the fiber, as its holder knows them to be there. */
export const service = <I, S>(fiber: AnyFiber, tag: Context.Key<I, S>): S => Context.getUnsafe(fiber.context, tag)

export const serviceOrUndefined = <I, S>(fiber: AnyFiber, tag: Context.Key<I, S>): S | undefined =>
  Context.getOrUndefined(fiber.context, tag)

/** The cleanup that a fiber runs inside of, inherited by the fibers that it forks. */
export const currentCleanup: Context.Reference<unknown> = /* @__PURE__ */ Context.Reference<unknown>(
  "@patinox/core/currentCleanup",
  { defaultValue: () => undefined }
)

/** Work that a fiber is inside of, as are the fibers that it has forked meanwhile, whoever's children they are. */
export class Midst {
  constructor(
    private work: object | undefined,
    private readonly outer: Midst | undefined,
    /** The last number that a fiber had by then: a fiber with a higher number was forked meanwhile. */
    private readonly since: number
  ) {}

  /** The innermost that is not over. */
  static current(inside: Midst | undefined): Midst | undefined {
    let current = inside
    while (current !== undefined && current.work === undefined) current = current.outer
    return current
  }

  includes(work: object, number: number): boolean {
    return (this.work === work && number > this.since) || this.outer?.includes(work, number) === true
  }

  /** What a fiber of that number was forked in, in a chain of its own. */
  forkedIn(number: number): Midst | undefined {
    const current = Midst.current(this)
    return current === undefined || number > current.since ? current : current.outer?.forkedIn(number)
  }

  /** What was forked meanwhile may know of it for as long as it lives: it keeps nothing else alive. */
  end(): void {
    this.work = undefined
  }
}

export interface Branch {
  /** The number of the fiber that writes here. */
  readonly owner: number
  inside: Midst | undefined
}

/**
 * Written once in a fiber and not at each use, which would cost more than the use. A fork has the very same, as its context
 * is its parent's: its number shows what is its own in there.
 */
export const currentBranch: Context.Reference<Branch | undefined> = /* @__PURE__ */ Context.Reference<
  Branch | undefined
>("@patinox/core/currentBranch", { defaultValue: () => undefined })

/** What finalizers have set in the fiber that they ran in, and would have set in the one that closes the scope. */
export type Changes = ReadonlyMap<string, unknown>

/** These are a fiber's own affair. */
const ownKeys = /* @__PURE__ */ new Set<string>([
  /* @__PURE__ */ (() => currentCleanup.key)(),
  /* @__PURE__ */ (() => currentBranch.key)()
])

/** What has been set between two readings of one fiber, beside what was known; `undefined` where nothing was. */
export const changesOf = (before: Origin, after: Origin, known: Changes | undefined): Changes | undefined => {
  if (before === after) return undefined
  let changes: Map<string, unknown> | undefined
  const { mapUnsafe: earlier } = before
  for (const [key, value] of after.mapUnsafe) {
    if (ownKeys.has(key) || (earlier.get(key) === value && earlier.has(key))) continue
    ;(changes ??= new Map(known)).set(key, value)
  }
  return changes
}

export const withChanges = (origin: Origin, _by: AnyFiber, changes: Changes): Origin =>
  Context.mergeAll(origin, Context.makeUnsafe<never>(changes))

export const applyChanges = (changes: Changes): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    fiber.setContext(withChanges(fiber.context, fiber, changes))
    return Effect.void
  })

/** Puts a context that others have, too, into the place of a fiber's own, or gives its own to be shared. */
export const shareRefs = (fiber: AnyFiber, refs: Origin | undefined): Origin => {
  if (refs === undefined) return fiber.context
  fiber.setContext(refs)
  return refs
}

/** What a fiber carries for a package, and hands on to the fibers that it forks. */
export interface Inherited<A> {
  readonly of: (fiber: AnyFiber) => A | undefined
  readonly during: <B, E, R>(value: A, effect: Effect.Effect<B, E, R>) => Effect.Effect<B, E, R>
}

/** Under which keys fibers carry that: it is in their context, and yet no service. */
export const inheritedKeys: Array<Context.Key<any, any>> = []

export const inherited = <A>(): Inherited<A> => {
  const key = Context.Reference<A | undefined>(`@patinox/core/inherited/${inheritedKeys.length}`, {
    defaultValue: () => undefined
  })
  inheritedKeys.push(key)
  return {
    of: (fiber) => fiber.getRef(key),
    during: (value, effect) => Effect.provideService(effect, key, value)
  }
}
