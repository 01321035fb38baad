/** What the tests of the cache share: values that count themselves, a registry without log lines, and a few waits. */
import { ResourceRegistry } from "@patinox/core"
import { TestClock } from "@patinox/vitest"
import { Effect, Exit, Layer, Logger, Scope, Stream } from "effect"
import type { CacheEvent, ResourceCache } from "../src/index.js"

/** Lets everything go on that does not wait for the clock. */
export const turns = Effect.repeatN(Effect.yieldNow(), 50)

export const quietly = Layer.provideMerge(ResourceRegistry.layer, Logger.remove(Logger.defaultLogger))

/** A test that fails does not wait, with a clock that stands still, for what it has left open. */
const failing = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapErrorCause(
    effect,
    () => Effect.forkDaemon(Effect.repeatN(Effect.andThen(TestClock.adjust("1 hours"), turns), 5))
  )

/** A scope and a registry around it, as an application has them. */
export const inScope = <A, E>(
  effect: Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>
): Effect.Effect<A, E> => Effect.provide(Effect.scoped(failing(effect)), quietly)

/** A registry around the effect, and a log that is kept. */
export const logging = <A, E>(
  effect: (lines: ReadonlyArray<string>) => Effect.Effect<A, E, Scope.Scope | ResourceRegistry.ResourceRegistry>
): Effect.Effect<A, E> => {
  const lines: Array<string> = []
  const keep = Logger.make(({ logLevel, message }) => lines.push(`${logLevel.label} ${String(message)}`))
  const layer = Layer.provideMerge(ResourceRegistry.layer, Logger.replace(Logger.defaultLogger, keep))
  return Effect.provide(Effect.scoped(failing(Effect.suspend(() => effect(lines)))), layer)
}

export class Value<K = string> {
  isOpen = true
  users = 0
  constructor(readonly key: K, readonly number: number) {}
}

/** Values, and what there has been of them. */
export class Source<K = string> {
  opened = 0
  closed = 0
  mostAlive = 0
  /** `open key` and `close key`, in order. */
  readonly log: Array<string> = []

  get alive(): number {
    return this.opened - this.closed
  }

  readonly lookup = (key: K): Effect.Effect<Value<K>> => Effect.sync(() => this.open(key))

  open(key: K): Value<K> {
    this.log.push(`open ${key}`)
    const value = new Value(key, ++this.opened)
    this.mostAlive = Math.max(this.mostAlive, this.alive)
    return value
  }

  /** Dies where somebody uses the value, or it is closed already. */
  readonly release = (value: Value<K>): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!value.isOpen) throw new Error(`Value ${value.number} of ${value.key} is closed twice`)
      if (value.users > 0) throw new Error(`Value ${value.number} of ${value.key} is closed while in use`)
      value.isOpen = false
      this.closed++
      this.log.push(`close ${value.key}`)
    })

  /** Dies where the value is closed before, or after. */
  readonly using = <B, E, R>(value: Value<K>, during: Effect.Effect<B, E, R>): Effect.Effect<B, E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        if (!value.isOpen) throw new Error(`Value ${value.number} of ${value.key} is used while closed`)
        value.users++
      }),
      () => during,
      () =>
        Effect.sync(() => {
          value.users--
          if (!value.isOpen) throw new Error(`Value ${value.number} of ${value.key} was closed while in use`)
        })
    )
}

/** What a cache tells, from now on. */
export const listen = (cache: { readonly events: Stream.Stream<CacheEvent.CacheEvent> }) =>
  Effect.gen(function*() {
    const events: Array<CacheEvent.CacheEvent> = []
    yield* Effect.forkScoped(
      Stream.runForEach(cache.events, (event) => Effect.sync(() => events.push(event)))
    )
    yield* turns
    return events
  })

/** A scope that is closed by hand, for what cannot be closed without moving the clock. */
export const openScope = Effect.map(Scope.make(), (scope) => ({
  scope,
  close: Scope.close(scope, Exit.void)
}))

/** Of a cache at rest: nothing in use, nothing waits, nothing under way. Gives how many entries there are. */
export const atRest = (
  cache: Pick<ResourceCache.ResourceCache<any, any, any>, "snapshot">
): Effect.Effect<number> =>
  Effect.flatMap(Effect.andThen(turns, cache.snapshot), ({ counts, entries, lookups, retired }) => {
    const { inUse, loading, releasing, waiting } = counts
    const held = [...entries, ...retired].filter(({ users }) => users.length > 0)
    return inUse + loading + releasing + waiting + lookups.length + retired.length + held.length === 0
        && counts.entries === entries.length
      ? Effect.succeed(entries.length)
      : Effect.die(new Error(`The cache is not at rest: ${JSON.stringify({ counts, entries, lookups, retired })}`))
  })
