/** What a random program does with a pool, as plain data: its settings, what its functions do, and its commands. */
import * as fc from "fast-check"

export const operations = ["create", "destroy", "validate", "recycle", "keepAlive"] as const
export type Operation = typeof operations[number]

/**
 * `hangs` ends when it is interrupted, `ignores` does not; both end when the program is over. `untellable` fails with an
 * error that throws wherever it is looked at.
 */
export const faults = ["none", "fails", "dies", "throws", "hangs", "ignores", "slow", "untellable"] as const
export type Fault = typeof faults[number]

interface Settings {
  readonly minSize: number
  readonly maxSize: number
  readonly createConcurrency: number
  readonly maxWaiters: number
  readonly maxUses: number
  readonly failFastAfter: number
  readonly idleTimeout: number
  readonly maxLifetime: number
  readonly keepAliveInterval: number
  readonly validateAfter: number
  readonly leaseTimeout: number
  readonly onLeaseTimeout: "report" | "reclaim"
  /** Whether what is created is released by `destroy`, by its scope, or by both. */
  readonly releasedBy: "destroy" | "scope" | "both"
  /** Whether there is a second, forceful way to destroy an item. */
  readonly isForced: boolean
}

/** How long things may take, in milliseconds. */
export const limits = {
  acquireTimeout: 5_000,
  createTimeout: 2_000,
  destroyTimeout: 1_500,
  validateTimeout: 1_000,
  recycleTimeout: 1_000,
  keepAliveTimeout: 1_000,
  drainTimeout: 8_000
}

export type Command =
  | {
    readonly _tag: "Borrow"
    readonly way: "use" | "get" | "lease" | "tryUse" | "tryGet"
    readonly outcome: "succeeds" | "fails" | "fatal" | "dies" | "untellable" | "invalidates"
    readonly priority: "Low" | "Normal" | "High" | "Critical"
    /** Undefined until it is told to return. */
    readonly holdMillis: number | undefined
  }
  | { readonly _tag: "Return"; readonly which: number }
  | { readonly _tag: "Interrupt"; readonly which: number }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "Resize"; readonly minSize: number; readonly maxSize: number }
  | { readonly _tag: "Drain"; readonly waiters: "fail" | "serve"; readonly isInterrupted: boolean }
  /** Of an item, idle or not: by the pool, or by the item's own handle. */
  | { readonly _tag: "Invalidate" | "Die"; readonly which: number }
  | { readonly _tag: "InvalidateAll" }
  | { readonly _tag: "Suspend" | "Resume" | "EvictIdle" | "AwaitReady" | "ForceCleanupAll" | "ShutDownRegistry" }

export interface Program {
  readonly settings: Settings
  /** What the calls of each function do, in order, and then again from the first. */
  readonly behaviour: { readonly [Name in Operation]: ReadonlyArray<Fault> }
  readonly commands: ReadonlyArray<Command>
}

const settings: fc.Arbitrary<Settings> = fc.record({
  minSize: fc.nat(2),
  maxSize: fc.integer({ min: 2, max: 4 }),
  createConcurrency: fc.integer({ min: 1, max: 3 }),
  maxWaiters: fc.constantFrom(0, 3, Infinity, Infinity),
  maxUses: fc.constantFrom(2, Infinity, Infinity),
  failFastAfter: fc.constantFrom(1, 3, Infinity),
  idleTimeout: fc.constantFrom(700, 3_000.3, Infinity),
  maxLifetime: fc.constantFrom(2_500, 10_000.7, Infinity),
  keepAliveInterval: fc.constantFrom(300, 1_100),
  validateAfter: fc.constantFrom(1, 200),
  leaseTimeout: fc.constantFrom(1_500, Infinity, Infinity),
  onLeaseTimeout: fc.constantFrom("report", "reclaim"),
  releasedBy: fc.constantFrom("destroy", "destroy", "scope", "both"),
  isForced: fc.boolean()
})

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 6, arbitrary: fc.constant("none" as const) },
  { weight: 4, arbitrary: fc.constantFrom(...faults) }
)
const behaviour = fc.array(fault, { minLength: 1, maxLength: 5 })

const which = fc.nat(100)

const borrow: fc.Arbitrary<Command> = fc.record({
  _tag: fc.constant("Borrow" as const),
  way: fc.constantFrom("use", "use", "use", "get", "lease", "tryUse", "tryGet"),
  outcome: fc.constantFrom("succeeds", "succeeds", "succeeds", "fails", "fatal", "dies", "untellable", "invalidates"),
  priority: fc.constantFrom("Normal", "Normal", "Normal", "Low", "High", "Critical"),
  holdMillis: fc.constantFrom(0, 0, 50, 1_000, undefined, undefined)
})

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 12, arbitrary: borrow },
  { weight: 6, arbitrary: which.map((which): Command => ({ _tag: "Return", which })) },
  { weight: 4, arbitrary: which.map((which): Command => ({ _tag: "Interrupt", which })) },
  {
    weight: 10,
    arbitrary: fc.constantFrom(1, 10, 100, 300, 500, 1_000, 2_000, 5_000).map((millis): Command => ({
      _tag: "Advance",
      millis
    }))
  },
  {
    weight: 4,
    arbitrary: fc.oneof(
      which.map((which): Command => ({ _tag: "Invalidate", which })),
      which.map((which): Command => ({ _tag: "Die", which })),
      fc.constant<Command>({ _tag: "InvalidateAll" })
    )
  },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 5 })).map(([min, maxSize]): Command => ({
      _tag: "Resize",
      minSize: Math.min(min, maxSize),
      maxSize
    }))
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Command>(
      { _tag: "Suspend" },
      { _tag: "Resume" },
      { _tag: "Resume" },
      { _tag: "EvictIdle" },
      { _tag: "AwaitReady" }
    )
  }
)

/** What a program may end with, after which nothing is as it was. */
const ending: fc.Arbitrary<ReadonlyArray<Command>> = fc.oneof(
  fc.constant([]),
  fc.record({
    _tag: fc.constant("Drain" as const),
    waiters: fc.constantFrom("fail" as const, "serve" as const),
    isInterrupted: fc.boolean()
  }).map((drain): ReadonlyArray<Command> => [drain]),
  fc.constantFrom<ReadonlyArray<Command>>([{ _tag: "ForceCleanupAll" }], [{ _tag: "ShutDownRegistry" }])
)

export const arbitrary: fc.Arbitrary<Program> = fc.record({
  settings,
  behaviour: fc.record({
    create: behaviour,
    destroy: behaviour,
    validate: behaviour,
    recycle: behaviour,
    keepAlive: behaviour
  }),
  commands: fc.tuple(
    fc.array(command, { minLength: 14, maxLength: 28 }),
    ending,
    fc.array(command, { minLength: 6, maxLength: 10 })
  ).map(([before, end, after]) => [...before, ...end, ...after])
})
