import { expect, it } from "@effect/vitest"
import { CleanupError, ResourceId, type ResourceRegistry } from "@patinox/core"
import { Schema } from "effect"
import { pageOf, type Shown } from "../src/internal/ResourcePage.js"
import { resourcePage } from "../src/internal/Schemas.js"

type Resource = ResourceRegistry.ResourceSnapshot

const id = (n: number) => ResourceId.ResourceId(`00000000-0000-4000-8000-${String(n).padStart(12, "0")}`)

const resource = (n: number, createdAt: number): Resource => ({
  id: id(n),
  typeName: "Connection",
  createdAt,
  priority: "High",
  sizeBytes: 10,
  metadata: { password: "secret metadata" },
  dependencies: [id(0)],
  owner: { fiberId: "#secret fiber", spanId: "secret span", spanName: "open" },
  acquireStack: "secret stack",
  state: "inUse",
  ageMillis: 5,
  stateMillis: 4,
  holders: [{ fiberId: "#7", spanName: "secret holder", heldMillis: 1 }],
  leakSuspected: true
})

const record = {
  order: 1,
  id: id(9),
  typeName: "Pool",
  priority: "Normal",
  outcome: "failed",
  attempts: 2,
  waitMillis: 0,
  runMillis: 0,
  trigger: "scope",
  forced: false,
  usedFallback: false,
  startedAt: 0,
  error: new CleanupError.CleanupTimeout({ id: id(9), typeName: "secret", limitMillis: 5, stopped: true, attempts: 2 })
} as const

const letter = (n: number): ResourceRegistry.DeadLetter => ({
  id: id(n),
  typeName: "Pool",
  record,
  failedAt: n,
  retryable: true,
  finishedLate: false,
  acquireStack: "secret stack"
})

const accounts = {
  registered: 1,
  live: 1,
  inUse: 1,
  waiting: 0,
  cleaning: 0,
  cleaned: 0,
  recovered: 0,
  failed: 0,
  abandoned: 0,
  disarmed: 0
}

const snapshot = (
  live: ReadonlyArray<Resource>,
  deadLetters: ReadonlyArray<ResourceRegistry.DeadLetter> = []
): ResourceRegistry.RegistrySnapshot => ({
  at: 1_000,
  phase: "Running",
  accounts,
  live,
  acquiring: [{ typeName: "secret acquiring", fiberId: "#1" }],
  waiting: { Low: 0, Normal: 0, High: 0, Critical: 0 },
  running: [record],
  abandoned: [record],
  deadLetters,
  sizeBytes: 10
})

const health: ResourceRegistry.RegistryHealth = {
  status: "degraded",
  live: 1,
  waiting: 0,
  running: 1,
  acquiring: 1,
  abandoned: 1,
  deadLetters: 1,
  droppedEvents: 3
}

const page = (
  live: ReadonlyArray<Resource>,
  query: { readonly limit: number; readonly after?: string } = { limit: 100 },
  shown: Shown = {},
  deadLetters?: ReadonlyArray<ResourceRegistry.DeadLetter>
) => pageOf(snapshot(live, deadLetters), health, query, shown)

it("without being asked it shows this, and nothing else", () => {
  const shown = page([resource(1, 7)], undefined, undefined, [letter(9)])
  expect(shown).toEqual({
    at: 1_000,
    phase: "Running",
    status: "degraded",
    accounts,
    acquiring: 1,
    abandonedRunning: 1,
    droppedEvents: 3,
    sizeBytes: 10,
    resources: [{
      id: id(1),
      typeName: "Connection",
      state: "inUse",
      priority: "High",
      createdAt: 7,
      ageMillis: 5,
      stateMillis: 4,
      holders: 1,
      leakSuspected: true,
      dependencies: [id(0)],
      sizeBytes: 10,
      spanName: "open"
    }],
    deadLetters: 1,
    newestDeadLetters: [{
      id: id(9),
      typeName: "Pool",
      outcome: "failed",
      attempts: 2,
      failedAt: 9,
      retryable: true,
      finishedLate: false
    }]
  })
  expect(JSON.stringify(shown)).not.toContain("secret")
})

it("each of metadata, stacks and errors is shown only where it was asked for", () => {
  const text = (shown: Shown) => JSON.stringify(page([resource(1, 7)], undefined, shown, [letter(9)]))
  const count = (shown: Shown, word: string) => text(shown).split(word).length - 1
  expect([count({ metadata: true }, "secret metadata"), count({ metadata: true }, "secret")]).toEqual([1, 1])
  expect([count({ stacks: true }, "secret stack"), count({ stacks: true }, "secret")]).toEqual([2, 2])
  expect([count({ errors: true }, "Cleanup of secret"), count({ errors: true }, "secret")]).toEqual([1, 1])
})

it("every page is what its schema says, and comes back", () => {
  const shown = page([resource(1, 7), resource(2, 8)], { limit: 1 }, { metadata: true, stacks: true, errors: true }, [
    letter(9)
  ])
  const encoded = JSON.parse(JSON.stringify(Schema.encodeSync(resourcePage)(shown))) as typeof resourcePage.Encoded
  expect(Schema.decodeSync(resourcePage)(encoded)).toEqual(shown)
  expect(shown.next).toBe(`7_${id(1)}`)
})

it("a page that is full, with nothing behind it, is the last", () => {
  const live = [resource(1, 7), resource(2, 7)]
  expect([page(live, { limit: 2 }).next, page(live, { limit: 1 }).next]).toEqual([undefined, `7_${id(1)}`])
  expect(page(live, { limit: 1, after: `7_${id(1)}` })).not.toHaveProperty("next")
})

it("the newest dead letters come first, as many as resources", () => {
  const { deadLetters, newestDeadLetters } = page([], { limit: 2 }, {}, [letter(1), letter(3), letter(2)])
  expect([deadLetters, newestDeadLetters.map(({ failedAt }) => failedAt)]).toEqual([3, [3, 2]])
})

/** What is there at first, how large pages are, and what happens between two: the n-th goes, or a new one comes. */
const Reading = Schema.Struct({
  times: Schema.Array(Schema.Int.pipe(Schema.between(0, 5))).pipe(Schema.maxItems(20)),
  limit: Schema.Int.pipe(Schema.between(1, 5)),
  changes: Schema.Array(Schema.Union(
    Schema.Struct({ goes: Schema.Int.pipe(Schema.between(0, 30)) }),
    Schema.Struct({ comesAt: Schema.Int.pipe(Schema.between(0, 9)) })
  )).pipe(Schema.maxItems(20))
})

it.prop("page by page each resource that stays is seen once, whatever comes and goes", [Reading], ([reading]) => {
  let live = reading.times.map((time, n) => resource(n, time))
  const changes = [...reading.changes]
  const stays = new Set(live.map((one) => one.id))
  const seen: Array<string> = []
  let after: string | undefined
  let count = live.length
  for (let pages = 0; pages <= 60; pages++) {
    const { next, resources } = page(live, { limit: reading.limit, ...(after === undefined ? undefined : { after }) })
    expect(resources.length).toBeLessThanOrEqual(reading.limit)
    seen.push(...resources.map((one) => one.id))
    if (next === undefined) break
    expect(pages).toBeLessThan(60)
    after = next
    const change = changes.shift()
    if (change === undefined) continue
    if ("goes" in change) {
      const gone = live[change.goes % live.length]!
      stays.delete(gone.id)
      live = live.filter((one) => one !== gone)
    } else live = [resource(count++, change.comesAt), ...live]
    if (live.length === 0) break
  }
  expect(new Set(seen).size).toBe(seen.length)
  expect([...stays].filter((one) => !seen.includes(one))).toEqual([])
}, { fastCheck: { numRuns: 500 } })
