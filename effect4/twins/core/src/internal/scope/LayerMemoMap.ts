/**
 * Layers built into scopes of ours. As Effect's own memo map, it builds each layer once and releases it when the last who
 * uses it lets go; but the inner scope of each is one of ours, so that limits and names reach inside composed layers, and
 * a layer stays memoised while anybody holds it.
 */
import { Cause, type Context, Deferred, Effect, Exit, Layer, Scope } from "effect"
import * as Layers from "../effect3/Layers.js"
import * as Scopes from "../effect3/Scopes.js"
import { ScopeKey } from "./FinalizerKeys.js"
import { ManagedScope } from "./ManagedScope.js"
import { defaults, type ResolvedScope } from "./ScopeOptions.js"

type AnyLayer = Layer.Layer<any, any, any>
type Built = Context.Context<any>
type Building = Effect.Effect<Built, any, any>
type Build = (memoMap: Layer.MemoMap, scope: Scope.Scope) => Building

class Memo {
  /** Who uses it, or waits for it to be built. */
  observers = 1

  constructor(
    readonly scope: ManagedScope,
    readonly built: Deferred.Deferred<Built, any>,
    private readonly forget: (memo: Memo) => void
  ) {}

  /** Gives the scope to close, when nobody is left. */
  readonly release = (): ManagedScope | undefined => {
    if (--this.observers > 0) return undefined
    this.forget(this)
    return this.scope
  }

  close(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => this.release()?.close(exit) ?? Effect.void)
  }
}

const memoMapTypeId = "~effect/Layer/MemoMap"

export class LayerMemoMap implements Layer.MemoMap {
  private readonly memos = new Map<AnyLayer, Memo>()

  constructor(private readonly options: ResolvedScope) {
    Layers.replaceFresh((around) => around instanceof LayerMemoMap ? new LayerMemoMap(around.options) : undefined)
  }

  get [memoMapTypeId](): typeof memoMapTypeId {
    return memoMapTypeId
  }

  /** What is there already, or is being built, for a memo map within this one. */
  get(layer: AnyLayer, scope: Scope.Scope): Building | undefined {
    const memo = this.memos.get(layer)
    if (memo === undefined) return undefined
    // Counted from here on, as the first owner may close meanwhile.
    memo.observers++
    return Effect.uninterruptibleMask((restore) => this.reuse(layer, memo, scope, restore, undefined))
  }

  /** What Effect's layers call for each layer that they are made of. */
  getOrElseMemoize(layer: AnyLayer, scope: Scope.Scope, build: Build): Building {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const memo = this.memos.get(layer)
        if (memo === undefined) return this.make(layer, scope, restore, build)
        memo.observers++
        return this.reuse(layer, memo, scope, restore, build)
      })
    )
  }

  private reuse(layer: AnyLayer, memo: Memo, scope: Scope.Scope, restore: Restore, build: Build | undefined): Building {
    return Effect.matchCauseEffect(restore(Deferred.await(memo.built)), {
      onFailure: (cause) =>
        Effect.andThen(
          memo.close(Exit.failCause(cause)),
          // Who built it was interrupted, and not who waits here.
          build !== undefined && Cause.hasInterruptsOnly(cause) && this.memos.get(layer) !== memo
            ? restore(this.getOrElseMemoize(layer, scope, build))
            : Effect.failCause(cause)
        ),
      onSuccess: (context) => Effect.as(bind(memo, scope), context)
    })
  }

  private make(layer: AnyLayer, scope: Scope.Scope, restore: Restore, build: Build): Building {
    return Effect.suspend(() => {
      const built = Deferred.makeUnsafe<Built, any>()
      const inner = new ManagedScope(this.options, defaults.strategy)
      const memo = new Memo(inner, built, () => {
        if (this.memos.get(layer) === memo) this.memos.delete(layer)
      })
      inner.label = "layer"
      this.memos.set(layer, memo)
      // From the start, so that a scope which closes meanwhile releases what has been built by then, too.
      const key = bindEarly(memo, scope)
      return Effect.matchCauseEffect(restore(Effect.suspend(() => build(this, inner))), {
        onFailure: (cause) => {
          // A failure is kept for as long as somebody else uses the layer, as Effect does, but not an interruption.
          if (Cause.hasInterruptsOnly(cause)) this.memos.delete(layer)
          memo.release()
          return Effect.andThen(
            Effect.andThen(Deferred.failCause(built, cause), inner.close(Exit.failCause(cause))),
            Effect.suspend(() => {
              if (key !== undefined) Scopes.dropFinalizer(scope, key)
              return Effect.failCause(cause)
            })
          )
        },
        onSuccess: (context) => {
          const keys = Layers.keysOf(context)
          if (keys.length > 0) inner.label = keys.join(", ")
          const bound = key === undefined ? bind(memo, scope) : Effect.sync(() => {
            // In the place of what was added last, as the layer is there only now.
            const finalizer = Scopes.dropFinalizer(scope, key)
            if (finalizer !== undefined) Scopes.putFinalizer(scope, key, finalizer)
          })
          return Effect.as(Effect.andThen(bound, Deferred.succeed(built, context)), context)
        }
      })
    })
  }
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The close of an open scope of ours lets go of the layer. */
const bindEarly = (memo: Memo, scope: Scope.Scope): ScopeKey | undefined => {
  if (!(scope instanceof ManagedScope) || Scopes.closedExit(scope) !== undefined) return undefined
  const key = new ScopeKey(memo.release)
  Scopes.putFinalizer(scope, key, (exit) => memo.close(exit))
  return key
}

/** The scope's close lets go of the layer; at once, where it is closed. */
const bind = (memo: Memo, scope: Scope.Scope): Effect.Effect<void> =>
  bindEarly(memo, scope) === undefined ? Scope.addFinalizerExit(scope, (exit) => memo.close(exit)) : Effect.void

/** Builds a layer into a scope, each part of it once. */
export const buildWith = <A, E, R>(
  layer: Layer.Layer<A, E, R>,
  memoMap: LayerMemoMap,
  scope: Scope.Scope
): Effect.Effect<Context.Context<A>, E, R> => Layer.buildWithMemoMap(layer, memoMap, scope)
