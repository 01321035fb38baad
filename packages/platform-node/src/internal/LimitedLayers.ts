/** How the process builds layers: each in a scope with limits, and watched for as long as the program starts. */
import * as ResourceScope from "@patinox/core/ResourceScope"
import { type Context, Effect, Layer, Scope } from "effect"
import type { Resolved } from "./RunOptions.js"
import type { StartWatch } from "./StartWatch.js"

export class LimitedLayers {
  constructor(
    private readonly options: Pick<Resolved, "shutdownTimeout" | "scope">,
    private readonly startWatch: StartWatch
  ) {}

  /** Those of loggers come first, and are no start of the program. */
  makeMemoMap(ofLoggers = false): Layer.MemoMap {
    const { scope, shutdownTimeout } = this.options
    const memoMap = Effect.runSync(ResourceScope.makeMemoMap({ timeout: shutdownTimeout, ...scope }))
    return this.startWatch.watch(memoMap, ofLoggers)
  }

  build<A, E, R>(
    layer: Layer.Layer<A, E, R>,
    ofLoggers = false
  ): Effect.Effect<Context.Context<A>, E, R | Scope.Scope> {
    return Effect.flatMap(Scope.Scope, (scope) => Layer.buildWithMemoMap(layer, this.makeMemoMap(ofLoggers), scope))
  }
}
