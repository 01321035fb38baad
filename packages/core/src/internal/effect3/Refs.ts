/** What a fiber carries besides its program: its FiberRefs, which hold its services, log settings and tracer. */
import { Context, Effect, Equal, type Fiber, type FiberId, FiberRef, FiberRefs } from "effect"

/** What a release needs of the fiber that acquired: its FiberRefs, which hold its context, log settings and tracer. */
export type Origin = FiberRefs.FiberRefs

/**
 * The fiber's own record of its FiberRefs, shared and not copied: `getFiberRefs` would copy the whole map for each
 * resource to note the runtime flags, which a release never reads.
 */
export const originOf = (fiber: Fiber.RuntimeFiber<any, any>): Origin =>
  (fiber as unknown as { readonly _fiberRefs?: FiberRefs.FiberRefs })._fiberRefs ?? fiber.getFiberRefs()

/**
 * A fiber's record as it is now. The earlier record where both say the same, as each setting makes a new record: then
 * many resources share one.
 */
export const laterOrigin = (before: Origin, after: Origin): Origin => {
  if (before === after) return before
  if (after.locals.size < before.locals.size) return after
  for (const [ref, stack] of after.locals) {
    if (FiberRefs.getOrDefault(before, ref) !== stack[0][1]) return after
  }
  return before
}

export const contextOf = (origin: Origin): Context.Context<never> =>
  FiberRefs.getOrDefault(origin, FiberRef.currentContext)

/** The services of the fiber, as its holder knows them to be there. */
export const service = <I, S>(fiber: Fiber.RuntimeFiber<any, any>, tag: Context.Tag<I, S>): S =>
  Context.unsafeGet(fiber.currentContext as Context.Context<any>, tag)

export const serviceOrUndefined = <I, S>(fiber: Fiber.RuntimeFiber<any, any>, tag: Context.Tag<I, S>): S | undefined =>
  fiber.currentContext.unsafeMap.get(tag.key)

/** The cleanup that a fiber runs inside of, inherited by the fibers that it forks. */
export const currentCleanup: FiberRef.FiberRef<unknown> = FiberRef.unsafeMake<unknown>(undefined)

/** Work that a fiber is inside of, as are the fibers that it has forked meanwhile, whoever's children they are. */
export class Midst {
  constructor(private work: object | undefined, private readonly outer: Midst | undefined) {}

  /** The innermost that is not over. */
  static current(inside: Midst | undefined): Midst | undefined {
    let current = inside
    while (current !== undefined && current.work === undefined) current = current.outer
    return current
  }

  includes(work: object): boolean {
    return this.work === work || this.outer?.includes(work) === true
  }

  /** What was forked meanwhile may know of it for as long as it lives: it keeps nothing else alive. */
  end(): void {
    this.work = undefined
  }
}

interface Branch {
  /** The number of the fiber that writes here. */
  readonly owner: number
  inside: Midst | undefined
}

/** Written once in a fiber and not at each use, which would cost more than the use. A fork has what is not over by then. */
export const currentBranch = /* @__PURE__ */ FiberRef.unsafeMake<Branch | undefined>(undefined, {
  fork: (branch) => {
    const inside = Midst.current(branch?.inside)
    return inside === undefined ? undefined : { owner: -1, inside }
  },
  join: (own) => own
})

/** What finalizers have set in the fiber that they ran in, and would have set in the one that closes the scope. */
export type Changes = Map<FiberRef.FiberRef<any>, unknown>

/** These are a fiber's own affair. */
const ownRefs = /* @__PURE__ */ (() =>
  new Set<FiberRef.FiberRef<any>>([
    currentCleanup,
    currentBranch,
    FiberRef.currentContext,
    FiberRef.currentRuntimeFlags,
    FiberRef.interruptedCause
  ]))()

/** What has been set between two readings of one fiber, beside what was known; `undefined` where nothing was. */
export const changesOf = (before: Origin, after: Origin, known: Changes | undefined): Changes | undefined => {
  let changes: Changes | undefined
  for (const [ref, stack] of after.locals) {
    if (before.locals.get(ref) === stack || ownRefs.has(ref)) continue
    const value = stack[0][1]
    if (!Equal.equals(FiberRefs.getOrDefault(before, ref), value)) (changes ??= new Map(known)).set(ref, value)
  }
  return changes
}

export const withChanges = (origin: Origin, by: Fiber.RuntimeFiber<any, any>, changes: Changes): Origin =>
  [...changes].reduce(
    (refs, [fiberRef, value]) => FiberRefs.updateAs(refs, { fiberId: by.id() as FiberId.Single, fiberRef, value }),
    origin
  )

export const applyChanges = (changes: Changes): Effect.Effect<void> =>
  Effect.forEach(changes, ([ref, value]) => FiberRef.set(ref, value), { discard: true })

/** Puts FiberRefs that others have, too, into the place of a fiber's own, or gives its own to be shared. */
export const shareRefs = (fiber: Fiber.RuntimeFiber<any, any>, refs: Origin | undefined): Origin => {
  if (refs === undefined) return fiber.getFiberRefs()
  ;(fiber as unknown as { readonly setFiberRefs: (refs: Origin) => void }).setFiberRefs(refs)
  return refs
}

/** What a fiber carries for a package, and hands on to the fibers that it forks. */
export interface Inherited<A> {
  readonly of: (fiber: Fiber.RuntimeFiber<any, any>) => A | undefined
  readonly during: <B, E, R>(value: A, effect: Effect.Effect<B, E, R>) => Effect.Effect<B, E, R>
}

export const inherited = <A>(): Inherited<A> => {
  const ref = FiberRef.unsafeMake<A | undefined>(undefined)
  return {
    of: (fiber) => fiber.getFiberRef(ref),
    during: (value, effect) => Effect.locally(effect, ref, value)
  }
}
