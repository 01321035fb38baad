/** A resource whose release misbehaves as told, and that records what happened to it. */
import { Data, Deferred, Effect } from "effect"

/** What a faulty release fails with. */
export class ReleaseFault extends Data.TaggedError("ReleaseFault")<{ readonly attempt: number }> {
  override get message(): string {
    return `Injected failure of release attempt ${this.attempt}`
  }
}

/** How a release behaves; `times` is how many attempts fail before one succeeds, `Infinity` for all. */
export type Fault =
  | { readonly _tag: "None" }
  | { readonly _tag: "Fail"; readonly times: number }
  | { readonly _tag: "Die" }
  | { readonly _tag: "Throw" }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "IgnoreInterruption" }

/** What a test resource offers. */
export interface TestResource {
  readonly name: string
  readonly acquire: Effect.Effect<TestResource>
  readonly release: () => Effect.Effect<void, ReleaseFault>
  /** Lets a release that hangs, or ignores interruption, end. */
  readonly letGo: Effect.Effect<void>
  readonly acquired: () => number
  readonly attempts: () => number
  readonly released: () => number
  /** The most attempts that ever ran at once. */
  readonly maxConcurrent: () => number
}

/** A journal shared by several resources: their acquires and releases in order. */
export const make = (
  name: string,
  fault: Fault = { _tag: "None" },
  journal: Array<string> = []
): Effect.Effect<TestResource> =>
  Effect.map(Deferred.make<void>(), (gate) => {
    let acquired = 0
    let attempts = 0
    let released = 0
    let running = 0
    let maxConcurrent = 0
    const succeed = Effect.sync(() => {
      released++
      journal.push(`released ${name}`)
    })
    const behave = (attempt: number): Effect.Effect<void, ReleaseFault> => {
      switch (fault._tag) {
        case "None":
          return succeed
        case "Fail":
          return attempt <= fault.times ? Effect.fail(new ReleaseFault({ attempt })) : succeed
        case "Die":
          return Effect.die(new Error(`Injected defect in the release of ${name}`))
        case "Throw":
          throw new Error(`Injected throw in the release of ${name}`)
        case "Hang":
          return Effect.andThen(Effect.interruptible(Deferred.await(gate)), succeed)
        case "IgnoreInterruption":
          return Effect.andThen(Effect.uninterruptible(Deferred.await(gate)), succeed)
      }
    }
    const resource: TestResource = {
      name,
      acquire: Effect.sync(() => {
        acquired++
        journal.push(`acquired ${name}`)
        return resource
      }),
      release: () => {
        const attempt = ++attempts
        const behaviour = behave(attempt)
        return Effect.ensuring(
          Effect.suspend(() => {
            maxConcurrent = Math.max(maxConcurrent, ++running)
            return behaviour
          }),
          Effect.sync(() => running--)
        )
      },
      letGo: Effect.asVoid(Deferred.succeed(gate, undefined)),
      acquired: () => acquired,
      attempts: () => attempts,
      released: () => released,
      maxConcurrent: () => maxConcurrent
    }
    return resource
  })
