/** What a layer has built, and into which memo map it builds. */
import { Context, Effect, Layer } from "effect"

export const keysOf = (context: Context.Context<any>): ReadonlyArray<string> =>
  [...context.mapUnsafe.keys()].filter((key) => key !== Layer.CurrentMemoMap.key)

/** Where layers are kept that are built once. May throw, as `value` is anything. */
export const isMemoMap = (value: unknown): boolean => "~effect/Layer/MemoMap" in Object(value)

interface MemoMapClass {
  getOrElseMemoize: Layer.MemoMap["getOrElseMemoize"]
}

let isReplaced = false

/**
 * `Layer.fresh` makes a memo map of Effect's own, whose scopes nobody can reach from outside. Where the one around it is
 * another, as `choose` says, the layer is built by what that gives.
 */
export const replaceFresh = (choose: (around: Layer.MemoMap) => Layer.MemoMap | undefined): void => {
  if (isReplaced) return
  isReplaced = true
  const plain = Object.getPrototypeOf(Layer.makeMemoMapUnsafe()) as MemoMapClass
  const { getOrElseMemoize } = plain
  const replacements = new WeakMap<Layer.MemoMap, Layer.MemoMap>()
  plain.getOrElseMemoize = function(this: Layer.MemoMap, layer, scope, build) {
    return Effect.withFiber((fiber) => {
      const around = Context.getOrUndefined(fiber.context, Layer.CurrentMemoMap)
      let instead = replacements.get(this)
      if (instead === undefined && around !== undefined && around !== this) {
        instead = choose(around)
        if (instead !== undefined) replacements.set(this, instead)
      }
      return (instead === undefined
        ? getOrElseMemoize.call(this, layer as Layer.Layer<any>, scope, build as never)
        : instead.getOrElseMemoize(layer, scope, build)) as ReturnType<typeof build>
    })
  }
}
