/** Whether the scopes and layers of the Effect at hand are built as this code expects; asked once, before anything is acquired. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { callback, checkFibers, type CurrentFiber, endsFiber, interruptLater, refuse } from "./Fibers.js"
import { closedExit, FinalizerMap, openState } from "./Scopes.js"

/** What about Effect's scopes is not as this file takes it to be, or `undefined` where all is. */
const scopeMismatch = (sample: Scope.Closeable): string | undefined => {
  if (sample.state?._tag !== "Empty") return "a new scope does not say that it is empty"
  const closed: Array<Exit.Exit<unknown, unknown>> = []
  const added: Array<object> = []
  const finalizers = new FinalizerMap({
    added: (finalizer) => added.push(finalizer),
    forked: (child) => added.push(child),
    closing: (exit) => Effect.sync(() => closed.push(exit))
  })
  sample.state = openState(finalizers)
  Effect.runSync(Scope.addFinalizer(sample, Effect.void))
  if (added.length !== 1) return "a finalizer is not put into the map of an open scope"
  const child = Effect.runSync(Scope.fork(sample))
  if (added[1] !== child) return "a scope that is forked is not put into the map of its parent"
  const fiber = Effect.runSync(Effect.forkIn(callback(() => {}), sample)) as CurrentFiber
  const forked = finalizers.get(fiber)
  const isIn = forked !== undefined && endsFiber(forked, fiber)
  interruptLater(fiber)
  if (!isIn) return "Effect.forkIn does not put a finalizer into that map"
  if (finalizers.count !== 0) return "a fiber that has ended stays in that map"
  Effect.runSync(Scope.close(sample, Exit.void))
  if (closed.length !== 1) return "a scope is not closed by the one finalizer in its map"
  return closedExit(sample) === undefined ? "a closed scope does not keep its exit" : undefined
}

/** The layers that a `LayerMemoMap` is asked for. */
interface LayerSamples {
  readonly effect: Layer.Layer<never>
}

const layerSamples = (): LayerSamples => ({ effect: Layer.effectContext(Effect.succeed(Context.empty())) })

/** The same of layers: one that asks no memo map would get a scope that is none of ours. */
const layerMismatch = ({ effect }: LayerSamples): string | undefined => {
  const asked: Array<unknown> = []
  const memoMap: any = {
    ...Layer.makeMemoMapUnsafe(),
    get: () => undefined,
    getOrElseMemoize: (...args: ReadonlyArray<unknown>) => {
      asked.push(...args)
      return Effect.succeed(Context.empty())
    }
  }
  Effect.runSync(Layer.buildWithMemoMap(effect, memoMap, Scope.makeUnsafe()))
  return asked[0] === effect && typeof asked[2] === "function" ? undefined : "a layer does not ask its memo map"
}

let scopesFit = false

/** Throws where the scopes or layers of this version of Effect are made in another way than ours; looks once. */
export const checkScopes = (sample?: Scope.Closeable, layers?: LayerSamples): void => {
  if (scopesFit && sample === undefined) return
  checkFibers()
  refuse("ResourceScope", scopeMismatch(sample ?? Scope.makeUnsafe()) ?? layerMismatch(layers ?? layerSamples()))
  scopesFit = true
}
