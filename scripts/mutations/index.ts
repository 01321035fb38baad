/** Every mutation that is written by hand. Those of the pure modules are made by Stryker: `stryker.ts`. */
import { cache } from "./cache.js"
import { core } from "./core.js"
import type { Mutation } from "./mutation.js"
import { platform } from "./platform.js"
import { platformNode } from "./platformNode.js"
import { pool } from "./pool.js"

export const mutations: ReadonlyArray<Mutation> = [...core, ...pool, ...cache, ...platform, ...platformNode]
