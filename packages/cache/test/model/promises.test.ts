/**
 * What holds of any cache, as a property of random programs on real caches with functions that misbehave: each value
 * released once and not while in use, nothing old after an invalidation, everybody answered in time, and nothing left.
 */
import { promises } from "../../../../scripts/testing/promises.js"
import { answers, arbitrary, faults, keyKinds, operations } from "./program.js"
import { CacheWorld } from "./world.js"

promises({
  what: "a cache",
  runs: 300,
  arbitrary,
  makeWorld: (program, surroundings) => new CacheWorld(program, surroundings),
  turnsBefore: (command) => "turnsBefore" in command ? command.turnsBefore : undefined,
  opsBeforeYield: ({ settings }) => settings.opsBeforeYield,
  operations,
  faults,
  others: [
    ...answers.flatMap((answer) => [`${answer}|weigher`, `${answer}|timeToLive`]),
    ...["evicted", "expired", "invalidated", "replaced", "shutdown"].map((reason) => `heard of ${reason}`),
    "interrupted asking",
    "interrupted using",
    "CacheTimeout room",
    "CacheTimeout lookup",
    "CacheFull",
    "CacheClosed",
    "lookup failed",
    "none",
    "stale",
    "shared",
    "set",
    "not set",
    ...keyKinds.map((kind) => `keys: ${kind}`),
    "set after its release",
    "set in use",
    "refreshed after a write",
    "asked from inside",
    "CacheFull circle",
    "beside an abandoned lookup"
  ]
})
