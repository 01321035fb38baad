/** Every mutation there is. */
import { guards } from "./guards.js"
import type { Mutation } from "./mutation.js"
import { platform } from "./platform.js"
import { platformNode } from "./platformNode.js"
import { refreshables } from "./refreshables.js"
import { runtimes } from "./runtimes.js"
import { scopes } from "./scopes.js"

export const mutations: ReadonlyArray<Mutation> = [
  ...guards,
  ...scopes,
  ...refreshables,
  ...runtimes,
  ...platform,
  ...platformNode
]
