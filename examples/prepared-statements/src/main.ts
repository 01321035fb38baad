/** `npx tsx --conditions=source examples/prepared-statements/src/main.ts`: searches, with two policies of what is kept. */
import { CachePolicy } from "@patinox/cache"
import { ResourceRegistry } from "@patinox/core"
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Effect, Random } from "effect"
import { fill, search } from "./Shop.js"
import { layer, Statements } from "./Statements.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const searches = 2_000

const story = Effect.gen(function*() {
  const { stats } = yield* Statements
  yield* fill(200)
  const before = yield* stats
  for (let n = 0; n < searches; n++) yield* search
  const { entries, hits, removals, weight } = yield* stats
  yield* say(`  ${(100 * (hits - before.hits) / searches).toFixed(1)} % of ${searches} searches found theirs prepared`)
  yield* say(`  ${entries} statements are kept, ${weight} characters; ${removals.evicted} were finalized`)
}).pipe(Effect.withRandom(Random.make("searches")))

const withPolicy = (policy: CachePolicy.CachePolicy) =>
  Effect.andThen(
    say(`the policy is ${policy.name}`),
    Effect.provide(story, layer(":memory:", { policy }))
  )

NodeRuntime.runMain(
  Effect.provide(Effect.forEach([CachePolicy.lru, CachePolicy.wTinyLfu], withPolicy), ResourceRegistry.layer)
)
