/**
 * What holds of any pool, as a property of random programs on real pools with managers that misbehave: never more alive
 * than `maxSize`, never two holders, nothing lost, everybody answered in time, and nothing left.
 */
import { promises } from "../../../../scripts/testing/promises.js"
import { arbitrary, faults, operations } from "./program.js"
import { PoolWorld } from "./world.js"

promises({
  what: "a pool",
  runs: 400,
  arbitrary,
  makeWorld: (program, surroundings) => new PoolWorld(program, surroundings),
  operations,
  faults,
  others: [
    "interrupted asking",
    "interrupted using",
    "interrupted returning",
    "PoolTimeout",
    "PoolExhausted",
    "PoolClosed",
    "PoolCreationFailed",
    "PoolValidationFailed",
    "expired",
    "idle",
    "maxUses",
    "unfit",
    "invalidated",
    "failedUse",
    "recycleFailed",
    "keepAliveFailed",
    "reclaimed",
    "resized",
    "evicted",
    "late",
    "drained",
    "released",
    "failed use",
    "interrupted use",
    "validated after a use that did not succeed",
    "invalidated while idle",
    "invalidated while in use",
    "invalidated while it is created",
    "distrusted while in use",
    "forced"
  ]
})
