/** Every mutation there is. */
import { guards } from "./guards.js"
import type { Mutation } from "./mutation.js"
import { refreshables } from "./refreshables.js"
import { scopes } from "./scopes.js"

export const mutations: ReadonlyArray<Mutation> = [...guards, ...scopes, ...refreshables]
