/** A guard that is made of each function without a name: what it is called then is the line of the call. */
import { ResourceGuard, ResourceRegistry } from "@patinox/core"
import { Context, Deferred, Effect, pipe } from "effect"

/** What goes with compiling: lines here and there are not the same. */
interface Gone {
  readonly of: string
  readonly no: number
  readonly use: boolean
}

class Service extends Context.Tag("user/Service")<Service, Gone>() {}

const release = () => Effect.void
const disposable = () => ({ [Symbol.dispose]: () => {} })

const program = Effect.gen(function*() {
  const registry = yield* ResourceRegistry.ResourceRegistry
  const gate = yield* Deferred.make<void>()
  yield* ResourceGuard.make(Effect.void, release) // here
  yield* ResourceGuard.makeInterruptible(Effect.void, release) // here
  yield* ResourceGuard.acquireRelease(Effect.void, release) // here
  yield* pipe(Effect.void, ResourceGuard.acquireRelease(release)) // here
  yield* ResourceGuard.acquireReleaseInterruptible(Effect.void, release) // here
  yield* ResourceGuard.fromScoped(Effect.void) // here
  yield* ResourceGuard.fromDisposable(Effect.sync(disposable)) // here
  yield* ResourceGuard.refreshable(Effect.void, release) // here
  yield* ResourceGuard.makeUnscoped(Effect.void, release) // here
  yield* registry.register(release) // here
  yield* registry.schedule({ cleanup: Deferred.await(gate) }) // here
  yield* Effect.all([1].map(() => ResourceGuard.make(Effect.void, release))) // here
  const names = (yield* registry.list).map(({ typeName }) => typeName)
  yield* Deferred.succeed(gate, undefined)
  const used = ResourceGuard.use(Effect.void, release)(() => registry.list) // here
  names.push((yield* used).at(-1)!.typeName)
  return names
})

export const names = await Effect.runPromise(
  Effect.scoped(program).pipe(
    Effect.provide(ResourceRegistry.layer),
    Effect.provideService(Service, {
      of: "x",
      no: 1,
      use: true
    })
  )
)
console.log(`names: ${JSON.stringify(names)}`)
