/**
 * Layers built into `ManagedScope`s. As Effect's own memo map, it builds each layer once and releases it when its last
 * user releases it. But the inner scope of each is a `ManagedScope`, so that limits and names reach inside composed
 * layers. A layer stays memoised while anybody holds it.
 */
import { Cause, type Context, Deferred, Effect, Exit, type FiberRefsPatch, Layer, Scope } from "effect"
import * as Layers from "../effect3/Layers.js"
import * as Scopes from "../effect3/Scopes.js"
import { ScopeKey } from "./FinalizerKeys.js"
import { ManagedScope } from "./ManagedScope.js"
import { defaults, type ResolvedScope } from "./ScopeOptions.js"

type AnyLayer = Layer.Layer<any, any, any>
type Built = [FiberRefsPatch.FiberRefsPatch, Context.Context<any>]

class Memo {
  /** How many use it, or wait for it to be built. */
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

export class LayerMemoMap implements Layer.MemoMap {
  private readonly memos = new Map<AnyLayer, Memo>()

  constructor(private readonly options: ResolvedScope) {}

  get [Layer.MemoMapTypeId](): Layer.MemoMapTypeId {
    return Layer.MemoMapTypeId
  }

  /** What Effect's layers call for each layer that they are made of. */
  getOrElseMemoize(layer: AnyLayer, scope: Scope.Scope): Effect.Effect<Context.Context<any>, any, any> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.suspend(() => {
        const memo = this.memos.get(layer)
        return memo === undefined ? this.make(layer, scope, restore) : this.reuse(layer, memo, scope, restore)
      })
    )
  }

  private reuse(
    layer: AnyLayer,
    memo: Memo,
    scope: Scope.Scope,
    restore: Restore
  ): Effect.Effect<Context.Context<any>, any, any> {
    // Counted from here on, as the first owner may close meanwhile.
    memo.observers++
    return Effect.matchCauseEffect(restore(Deferred.await(memo.built)), {
      onFailure: (cause) =>
        Effect.andThen(
          memo.close(Exit.failCause(cause)),
          // The builder was interrupted, and not the fiber that waits here.
          Cause.isInterruptedOnly(cause) && this.memos.get(layer) !== memo
            ? restore(this.getOrElseMemoize(layer, scope))
            : Effect.failCause(cause)
        ),
      onSuccess: ([patch, context]) =>
        Effect.as(Effect.andThen(Effect.patchFiberRefs(patch), bind(memo, scope)), context)
    })
  }

  private make(layer: AnyLayer, scope: Scope.Scope, restore: Restore): Effect.Effect<Context.Context<any>, any, any> {
    return Effect.flatMap(Deferred.make<Built, any>(), (built) => {
      const inner = new ManagedScope(this.options, defaults.strategy)
      const memo = new Memo(inner, built, () => {
        if (this.memos.get(layer) === memo) this.memos.delete(layer)
      })
      const { _op_layer: op } = Layers.partsOf(layer)
      if (op === "Scoped") inner.label = "layer"
      // Waiting for nothing has come between: nobody else can have begun to build it.
      if (op !== "Fresh") this.memos.set(layer, memo)
      // From the start, so that a scope which closes meanwhile releases what has been built by then, too.
      const key = bindEarly(memo, scope)
      return Effect.matchCauseEffect(restore(Effect.diffFiberRefs(this.build(layer, inner))), {
        onFailure: (cause) => {
          // A failure is kept for whoever else uses the layer, as Effect does, but not somebody's interruption.
          if (Cause.isInterruptedOnly(cause)) this.memos.delete(layer)
          return Effect.andThen(
            Effect.andThen(Deferred.failCause(built, cause), inner.close(Exit.failCause(cause))),
            Effect.suspend(() => {
              if (key !== undefined) Scopes.dropFinalizer(scope, key)
              return Effect.failCause(cause)
            })
          )
        },
        onSuccess: (result) => {
          const keys = Layers.keysOf(result[1])
          if (op === "Scoped" && keys.length > 0) inner.label = keys.join(", ")
          const bound = key === undefined ? bind(memo, scope) : Effect.sync(() => {
            // In the place of what was added last, as the layer is there only now.
            const finalizer = Scopes.dropFinalizer(scope, key)
            if (finalizer !== undefined) Scopes.putFinalizer(scope, key, finalizer)
          })
          return Effect.as(Effect.andThen(bound, Deferred.succeed(built, result)), result[1])
        }
      })
    })
  }

  private build(layer: AnyLayer, inner: ManagedScope): Effect.Effect<Context.Context<any>, any, any> {
    const parts = Layers.partsOf(layer)
    switch (parts._op_layer) {
      case "Scoped":
        return Scope.extend(parts.effect, inner)
      case "FromEffect":
        return parts.effect
      case "Fresh":
        return buildWith(parts.layer, new LayerMemoMap(this.options), inner)
      default:
        return Layer.buildWithMemoMap(layer, this, inner)
    }
  }
}

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

/** The close of an open `ManagedScope` releases its hold on the layer. */
const bindEarly = (memo: Memo, scope: Scope.Scope): ScopeKey | undefined => {
  if (!(scope instanceof ManagedScope) || Scopes.closedExit(scope) !== undefined) return undefined
  const key = new ScopeKey(memo.release)
  Scopes.putFinalizer(scope, key, (exit) => memo.close(exit))
  return key
}

/** The scope's close releases its hold on the layer; at once, where it is closed. */
const bind = (memo: Memo, scope: Scope.Scope): Effect.Effect<void> =>
  bindEarly(memo, scope) === undefined ? Scope.addFinalizerExit(scope, (exit) => memo.close(exit)) : Effect.void

/** Builds a layer into a scope, each part of it once. */
export const buildWith = <A, E, R>(
  layer: Layer.Layer<A, E, R>,
  memoMap: LayerMemoMap,
  scope: Scope.Scope
): Effect.Effect<Context.Context<A>, E, R> =>
  Effect.provideService(memoMap.getOrElseMemoize(layer, scope), Layer.CurrentMemoMap, memoMap)
