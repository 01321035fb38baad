/** What is not generated, each with its reason. The lists only shrink. */

/** Whole files. */
export const excluded: Readonly<Record<string, string>> = {
  "packages/cache/test/README.test.ts": "the README is of Effect 3 until documents are by major",
  "packages/cache/test/peers/effect-cache.test.ts": "of Effect 3's Cache, which has another shape in Effect 4",
  "packages/cache/test/peers/rc-map.broken.test.ts": "faults of Effect 3's RcMap",
  "packages/cache/test/peers/rc-map.idle.test.ts": "of Effect 3's RcMap",
  "packages/cache/test/peers/rc-map.test.ts": "of Effect 3's RcMap",
  "packages/cache/test/peers/rc-ref.test.ts": "of Effect 3's RcRef",
  "packages/cache/test/peers/scoped-cache.broken.test.ts": "faults of Effect 3's ScopedCache",
  "packages/cache/test/peers/scoped-cache.refresh.test.ts":
    "of Effect 3's ScopedCache, which has another shape in Effect 4",
  "packages/cache/test/peers/scoped-cache.test.ts": "of Effect 3's ScopedCache, which has another shape in Effect 4",
  "packages/core/test/ResourceMonitor.labels.test.ts":
    "Effect 4 has no labels that are given to all metrics of a fiber",
  "packages/core/test/peers/layer.test.ts": "Effect 3's own tests of layers",
  "packages/core/test/peers/locks.test.ts": "locks of Effect 3's transactions, owned by a FiberId",
  "packages/core/test/peers/log.ts": "used by the peers' tests alone",
  "packages/core/test/peers/managed-runtime.test.ts": "Effect 3's own tests of ManagedRuntime",
  "packages/core/test/peers/resource.test.ts": "Effect 3's own tests of Resource and ScopedRef",
  "packages/core/test/peers/scope.test.ts": "Effect 3's own tests of Scope",
  "packages/pool/test/README.test.ts": "the README is of Effect 3 until documents are by major",
  "packages/pool/test/peers/effect-keyed-pool.test.ts": "of Effect 3's KeyedPool, which Effect 4 does not have",
  "packages/pool/test/peers/effect-pool.suite.test.ts": "Effect 3's own tests of Pool",
  "packages/pool/test/peers/effect-pool.test.ts": "faults of Effect 3's Pool",
  "packages/pool/test/postgres/ResourcePool.cancelling.test.ts":
    "on @effect/sql, which is effect/sql in Effect 4: not done yet",
  "packages/pool/test/postgres/SqlClient.test.ts": "on @effect/sql, which is effect/sql in Effect 4: not done yet",
  "packages/pool/test/postgres/sqlClient.ts": "on @effect/sql, which is effect/sql in Effect 4: not done yet"
}

const betterIn4 = "a fault of Effect 3's own part that Effect 4 does not have"

/** Tests and groups of tests, by file and title, as the title is written. */
export const excludedTests: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "packages/cache/test/ResourceCache.quiet.test.ts": {
    "a cache leaves no fiber behind": "Effect 4 keeps no list of the fibers without a parent"
  },
  "packages/cache/test/internal/policy/KeyHash.test.ts": {
    "the hash of a key is the same for a class and a plain structure that are equal":
      "a class and a plain object are not equal in Effect 4",
    "the hash of a key is the same for equal keys of two copies of Effect in a process":
      "Effect 4 has no build for `require`, by which there were two copies",
    "the hash of a key is that of the identity of a plain object, whatever it holds":
      "plain objects of one content are equal in Effect 4"
  },
  "packages/core/test/ResourceRegistry.quiet.test.ts": {
    "holds no fiber: not with guards live, nor after cleanups that were scheduled, slow, failed or forced":
      "Effect 4 counts no fibers in a metric of its own"
  },
  "packages/core/test/ResourceGuard.refreshable.effect.test.ts": {
    "Resource.auto: ends the refreshing, without a word (${name})": betterIn4,
    "Resource and ScopedRef: give a value that has been released": betterIn4,
    "Resource: releases the old value first, so that there is none while it acquires": betterIn4,
    "Resource: stay open until its scope closes, from the second on": betterIn4,
    "Resource: has it released under it": betterIn4,
    "Resource: acquires twice, one after the other": betterIn4,
    "ScopedRef: each opens a value that nobody releases": betterIn4,
    "Resource: has no type, and its defect fails the refresh before anything is acquired": betterIn4
  },
  "packages/core/test/ResourceRuntime.test.ts": {
    "fails with what the effect fails with, and promises reject with a FiberFailure":
      "a promise of Effect 4 rejects with the error itself; there is no FiberFailure",
    "runs with what layers have set: FiberRefs, loggers, a scheduler": "no FiberRefs, no ControlledScheduler",
    "takes the options of runFork and runCallback once the layer is built":
      "Effect 4 has no `scope`, `immediate` and `updateRefs` among them",
    "takes the options of a run that has to wait for the layer, too":
      "Effect 4 has no `scope`, `immediate` and `updateRefs` among them"
  },
  "packages/core/test/ResourceScope.identity.test.ts": {
    "a guard's release": "no FiberRefs; the context of Effect 4's acquireRelease is that of its start"
  },
  "packages/pool/test/ResourcePool.quiet.test.ts": {
    "a pool leaves no fiber behind": "Effect 4 keeps no list of the fibers without a parent"
  },
  "packages/core/test/ResourceScope.layers.test.ts": {
    "set FiberRefs for each who uses them, as in a plain scope": "no FiberRefs; a layer of Effect 4 sets services alone"
  }
}

export const isExcluded = (path: string): boolean => path in excluded
