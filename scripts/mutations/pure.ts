/** The modules that decide, keep order or count, and do nothing else: Stryker makes their mutations. */
const modules: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: ["Recovery", "DeadlineHeap"],
  pool: ["PoolState", "IdleItems", "Creations", "WaitQueue", "CircuitBreaker"],
  cache: [
    "CacheState",
    "Entries",
    "Loads",
    "LoadQueue",
    "Occupancy",
    "Expiry",
    "KeyMap",
    "KeyHash",
    "EntryList",
    "FrequencySketch",
    "WTinyLfu",
    "Lru",
    "WindowChoice",
    "Miniatures"
  ]
}

export interface PureModule {
  readonly name: string
  readonly folder: string
  /** Patterns: neither the folder of a module nor that of its tests matters. */
  readonly source: string
  readonly tests: string
}

export const pureModules: ReadonlyArray<PureModule> = Object.entries(modules).flatMap(([folder, names]) =>
  names.map((name) => ({
    name,
    folder,
    source: `packages/${folder}/src/internal/**/${name}.ts`,
    tests: `packages/${folder}/test/internal/**/${name}{,.*}.test.ts`
  }))
)
