/** What the tests of the cache share: values that count themselves, a registry without log lines, and a few waits. */
import { TestRegistry } from "@patinox/vitest"
import { Deferred, Effect, Scope } from "effect"
import { openScope, turns } from "../../../scripts/testing/effects.js"
import { ResourceCache } from "../src/index.js"

export { after, listen, openScope, turns } from "../../../scripts/testing/effects.js"

export const quietly = TestRegistry.quiet
/** A scope and a registry around it, as an application has them. */
export const inScope = TestRegistry.scoped
/** A registry around the effect, and a log that is kept. */
export const logging = TestRegistry.scopedWithLog

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

export const number = (value: Value<any>) => Effect.succeed(value.number)

/** A cache of values that count themselves. */
export const made = (options: Partial<ResourceCache.CacheOptions<string, Value>> = {}) =>
  Effect.gen(function*() {
    const source = new Source()
    const cache = yield* ResourceCache.make(source.lookup, { release: source.release, ...options })
    return { source, cache }
  })

/** A cache whose lookups wait for a gate before they begin. */
export const madeBehindGate = Effect.gen(function*() {
  const source = new Source()
  const gate = yield* Deferred.make<void>()
  const cache = yield* ResourceCache.make(
    (key: string) => Effect.andThen(Deferred.await(gate), source.lookup(key)),
    { release: source.release }
  )
  return { source, gate, cache }
})

/** Keeps a value in use until the scope that it gives is closed. */
export const hold = (cache: ResourceCache.ResourceCache<string, Value>, key: string) =>
  Effect.gen(function*() {
    const { close, scope } = yield* openScope
    yield* Scope.extend(cache.get(key), scope)
    return close
  })

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
