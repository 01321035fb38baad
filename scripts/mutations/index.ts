/** Every mutation there is. */
import { cachePolicies } from "./cachePolicies.js"
import { guards } from "./guards.js"
import type { Mutation } from "./mutation.js"
import { nodeRuntime } from "./nodeRuntime.js"
import { platform } from "./platform.js"
import { platformNode } from "./platformNode.js"
import { pool } from "./pool.js"
import { refreshables } from "./refreshables.js"
import { runtimes } from "./runtimes.js"
import { scopes } from "./scopes.js"

export const mutations: ReadonlyArray<Mutation> = [
  ...guards,
  ...scopes,
  ...refreshables,
  ...runtimes,
  ...pool,
  ...platform,
  ...platformNode,
  ...nodeRuntime,
  ...cachePolicies
]
