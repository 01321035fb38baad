/** Every mutation there is. */
import { cacheDecisions } from "./cacheDecisions.js"
import { cachePolicies } from "./cachePolicies.js"
import { cacheRunning } from "./cacheRunning.js"
import { guards } from "./guards.js"
import type { Mutation } from "./mutation.js"
import { nodeRuntime } from "./nodeRuntime.js"
import { platform } from "./platform.js"
import { platformNode } from "./platformNode.js"
import { poolBorrowing } from "./poolBorrowing.js"
import { poolDecisions } from "./poolDecisions.js"
import { poolEnding } from "./poolEnding.js"
import { poolItems } from "./poolItems.js"
import { poolTelling } from "./poolTelling.js"
import { refreshables } from "./refreshables.js"
import { runtimes } from "./runtimes.js"
import { scopes } from "./scopes.js"

export const mutations: ReadonlyArray<Mutation> = [
  ...guards,
  ...scopes,
  ...refreshables,
  ...runtimes,
  ...poolDecisions,
  ...poolItems,
  ...poolBorrowing,
  ...poolEnding,
  ...poolTelling,
  ...platform,
  ...platformNode,
  ...nodeRuntime,
  ...cacheDecisions,
  ...cacheRunning,
  ...cachePolicies
]
