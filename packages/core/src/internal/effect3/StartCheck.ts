/** Whether the scopes and layers of the Effect at hand are built as this code expects; asked once, before anything is acquired. */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { callback, checkFibers, type CurrentFiber, endsFiber, interruptLater, refuse } from "./Fibers.js"
import { partsOf } from "./Layers.js"
import { closedExit, type FinalizerMap } from "./Scopes.js"

/** What about Effect's scopes is not as this file takes it to be, or `undefined` where all is. */
const scopeMismatch = (sample: Scope.CloseableScope): string | undefined => {
  const finalizers = (): unknown => (sample as any).state?.finalizers
  if ((sample as any).state?._tag !== "Open" || !(finalizers() instanceof Map)) {
    return "an open scope has no finalizers map"
  }
  const map = finalizers() as FinalizerMap
  Effect.runSync(Scope.addFinalizer(sample, Effect.void))
  if (map.size !== 1) return "a finalizer is not put into that map"
  const fiber = Effect.runSync(Effect.forkIn(callback(() => {}), sample)) as CurrentFiber
  const [, forked] = [...map.values()]
  const isIn = forked !== undefined && endsFiber(forked, fiber)
  interruptLater(fiber)
  if (!isIn) return "Effect.forkIn does not put a finalizer into that map"
  Effect.runFork(Scope.close(sample, Exit.void))
  return closedExit(sample) === undefined ? "a closed scope does not keep its exit" : undefined
}

/** The layers of which a `LayerMemoMap` knows what they are made of. */
interface LayerSamples {
  readonly scoped: unknown
  readonly effect: unknown
  readonly fresh: unknown
}

const layerSamples = (): LayerSamples => {
  const effect = Layer.effectContext(Effect.succeed(Context.empty()))
  return { scoped: Layer.scopedContext(Effect.succeed(Context.empty())), effect, fresh: Layer.fresh(effect) }
}

/** The same of layers: a name that is not known would make one wait for itself. */
const layerMismatch = ({ effect, fresh, scoped }: LayerSamples): string | undefined => {
  const [whole, parts, again] = [effect, scoped, fresh].map((it) => partsOf(it as Layer.Layer<any>))
  return whole!._op_layer !== "FromEffect" || !Effect.isEffect(whole!.effect) ||
      parts!._op_layer !== "Scoped" || !Effect.isEffect(parts!.effect) ||
      again!._op_layer !== "Fresh" || again!.layer !== effect
    ? "a layer does not say what it is made of"
    : undefined
}

let scopesFit = false

/** Throws where the scopes or layers of this version of Effect are made in another way than ours; looks once. */
export const checkScopes = (sample?: Scope.CloseableScope, layers?: LayerSamples): void => {
  if (scopesFit && sample === undefined) return
  checkFibers()
  refuse(
    "ResourceScope",
    scopeMismatch(sample ?? Effect.runSync(Scope.make())) ?? layerMismatch(layers ?? layerSamples())
  )
  scopesFit = true
}
