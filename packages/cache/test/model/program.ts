/** What a random program does with a cache, as plain data: its settings, what its functions do, and its commands. */
import * as fc from "fast-check"

export const operations = ["lookup", "release", "listener"] as const
type Operation = typeof operations[number]

/**
 * `hangs` ends when it is interrupted, `ignores` does not; both end when the program is over. `asks` asks the cache for
 * another key, from inside. `untellable` fails with what throws wherever somebody looks at it.
 */
export const faults = ["none", "fails", "dies", "throws", "hangs", "ignores", "slow", "asks", "untellable"] as const
export type Fault = typeof faults[number]

/** What a function does that answers at once: `wrong` is no weight, and no duration. */
export const answers = ["none", "throws", "wrong"] as const
type Answer = typeof answers[number]

/**
 * What a key is: a text; an object that is compared by its contents; one that is changed for each use; one that throws
 * wherever somebody looks at it.
 */
export const keyKinds = ["text", "struct", "changed", "untellable"] as const
export type KeyKind = typeof keyKinds[number]

interface Settings {
  readonly keys: KeyKind
  readonly maxEntries: number
  readonly maxWeight: number
  readonly whenFull: "wait" | "exceed" | "fail"
  readonly policy: "lru" | "w-tinylfu"
  /** Of values, in milliseconds. */
  readonly timeToLive: number
  /** Of failures; where it is above 0, `timeToLive` is a function. */
  readonly failuresLive: number
  readonly timeToIdle: number
  readonly expiryJitter: number
  readonly refreshAfter: number
  readonly staleWhileRevalidate: number
  readonly staleOnError: number
  readonly hasListener: boolean
  /** Whether what is looked up is released by `release`, by its scope, or by both. */
  readonly releasedBy: "release" | "scope" | "both"
  /** So few that fibers take turns in the middle of everything. */
  readonly opsBeforeYield: number
}

/** How long things may take, in milliseconds. */
export const limits = { acquireTimeout: 4_000, releaseTimeout: 1_500, closeTimeout: 8_000 }

export type Command =
  | {
    readonly _tag: "Ask"
    readonly key: string
    readonly way: "use" | "get" | "getAll" | "peek" | "getIfPresent" | "refresh"
    readonly outcome: "succeeds" | "fails" | "dies"
    /** Undefined until it is told to return. */
    readonly holdMillis: number | undefined
  }
  | { readonly _tag: "Set" | "Invalidate"; readonly key: string }
  /** A value that there has been is given once more. */
  | { readonly _tag: "SetAgain"; readonly key: string; readonly which: number }
  /** What lookups read is another from now on. */
  | { readonly _tag: "Write" }
  | { readonly _tag: "Return" | "Interrupt"; readonly which: number }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "InvalidateWhere" | "InvalidateAll" }
  | Ending

/** What it may end with, after which nothing is as it was; so many turns after what comes before, or all that it takes. */
type Ending = {
  readonly _tag: "Close" | "ForceCleanupAll" | "ShutDownRegistry"
  readonly isInterrupted: boolean
  readonly turnsBefore: number | undefined
}

export interface Program {
  readonly settings: Settings
  /** What the calls of each function do, in order, and then again from the first. */
  readonly behaviour:
    & { readonly [Name in Operation]: ReadonlyArray<Fault> }
    & { readonly weigher: ReadonlyArray<Answer>; readonly timeToLive: ReadonlyArray<Answer> }
  readonly commands: ReadonlyArray<Command>
}

const settings: fc.Arbitrary<Settings> = fc.record({
  keys: fc.constantFrom("text", "text", "text", "struct", "changed", "untellable"),
  maxEntries: fc.constantFrom(1, 1, 2, 2, 3, 4, 5),
  maxWeight: fc.constantFrom(3, 6, Infinity, Infinity),
  whenFull: fc.constantFrom("wait", "wait", "wait", "exceed", "fail"),
  policy: fc.constantFrom("lru", "lru", "w-tinylfu"),
  timeToLive: fc.constantFrom(0, 400, 400, 400, 3_000.3, Infinity, Infinity),
  failuresLive: fc.constantFrom(0, 0, 300, 2_000),
  timeToIdle: fc.constantFrom(700, 5_000.7, Infinity, Infinity),
  expiryJitter: fc.constantFrom(0, 0, 0.3),
  refreshAfter: fc.constantFrom(250, 2_000, Infinity, Infinity),
  staleWhileRevalidate: fc.constantFrom(0, 1_500, 2_500),
  staleOnError: fc.constantFrom(0, 4_000),
  hasListener: fc.constantFrom(true, true, true, false),
  releasedBy: fc.constantFrom("release", "release", "scope", "both"),
  opsBeforeYield: fc.constantFrom(2_048, 2_048, 2_048, 2_048, 2_048, 11, 29)
})

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 7, arbitrary: fc.constant("none" as const) },
  { weight: 4, arbitrary: fc.constantFrom(...faults) }
)
const behaviour = fc.array(fault, { minLength: 1, maxLength: 5 })
const answering = fc.array(fc.constantFrom<Answer>(...answers, ...Array<Answer>(8).fill("none")), {
  minLength: 1,
  maxLength: 5
})

const which = fc.nat(100)
const key = fc.constantFrom("a", "a", "a", "b", "b", "c", "d", "e")

const ask: fc.Arbitrary<Command> = fc.record({
  _tag: fc.constant("Ask" as const),
  key,
  way: fc.constantFrom("use", "use", "use", "get", "get", "getAll", "peek", "getIfPresent", "refresh", "refresh"),
  outcome: fc.constantFrom("succeeds", "succeeds", "succeeds", "fails", "dies"),
  holdMillis: fc.constantFrom(0, 0, 50, 1_000, undefined, undefined)
})

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 14, arbitrary: ask },
  { weight: 2, arbitrary: key.map((key): Command => ({ _tag: "Set", key })) },
  {
    weight: 1,
    arbitrary: fc.tuple(key, which).map(([key, which]): Command => ({ _tag: "SetAgain", key, which }))
  },
  { weight: 2, arbitrary: fc.constant<Command>({ _tag: "Write" }) },
  { weight: 3, arbitrary: key.map((key): Command => ({ _tag: "Invalidate", key })) },
  { weight: 5, arbitrary: which.map((which): Command => ({ _tag: "Return", which })) },
  { weight: 3, arbitrary: which.map((which): Command => ({ _tag: "Interrupt", which })) },
  {
    weight: 9,
    arbitrary: fc.constantFrom(1, 10, 100, 300, 500, 1_000, 2_000, 4_000).map((millis): Command => ({
      _tag: "Advance",
      millis
    }))
  },
  { weight: 1, arbitrary: fc.constantFrom<Command>({ _tag: "InvalidateWhere" }, { _tag: "InvalidateAll" }) }
)

const ending: fc.Arbitrary<ReadonlyArray<Command>> = fc.oneof(
  fc.constant([]),
  fc.tuple(
    ask,
    fc.record({
      _tag: fc.constantFrom("Close" as const, "ForceCleanupAll" as const, "ShutDownRegistry" as const),
      isInterrupted: fc.boolean(),
      turnsBefore: fc.option(fc.nat(30), { nil: undefined })
    })
  )
)

export const arbitrary: fc.Arbitrary<Program> = fc.record({
  settings,
  behaviour: fc.record({
    lookup: behaviour,
    release: behaviour,
    listener: behaviour,
    weigher: answering,
    timeToLive: answering
  }),
  commands: fc.tuple(
    fc.array(command, { minLength: 16, maxLength: 32 }),
    ending,
    fc.array(command, { minLength: 6, maxLength: 10 })
  ).map(([before, end, after]) => [...before, ...end, ...after])
})
