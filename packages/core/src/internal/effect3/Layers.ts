/** What a layer is made of. */
import { type Context, type Effect, Layer } from "effect"

/** What a layer is made of, as far as it matters to who memoises it. */
export interface LayerParts {
  readonly _op_layer: string
  readonly effect: Effect.Effect<Context.Context<any>, any, any>
  readonly layer: Layer.Layer<any, any, any>
}

export const partsOf = (layer: Layer.Layer<any, any, any>): LayerParts => layer as unknown as LayerParts

export const keysOf = (context: Context.Context<any>): ReadonlyArray<string> => [...context.unsafeMap.keys()]

/** Where layers are kept that are built once. May throw, as `value` is anything. */
export const isMemoMap = (value: unknown): boolean => Layer.MemoMapTypeId in Object(value)
