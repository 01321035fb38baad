/** `docs/beside-effect.md` is what the tests beside Effect's own parts ask, and no difference is missing in it. */
import path from "node:path"
import { describe, expect, it } from "vitest"
import { pairedQuestionsOf, questionsOf, renderBeside, type Suite } from "./beside.js"
import { filesIn, read, root } from "./repository.js"

const core = (name: string) => `packages/core/test/peers/${name}.test.ts`
const pool = (name: string) => `packages/pool/test/peers/${name}.test.ts`
const cache = (name: string) => `packages/cache/test/peers/${name}.test.ts`
const noPipe = ["`.pipe`", "the part here is a record of functions, which has none"] as const

const suites: ReadonlyArray<Suite> = [
  { effects: "Scope", tests: 8, ours: "`ResourceScope`", files: [core("scope")] },
  { effects: "Layer", tests: 38, ours: "`ResourceScope.build`, `provide`, `makeMemoMap`", files: [core("layer")] },
  { effects: "ManagedRuntime", tests: 8, ours: "`ResourceRuntime`", files: [core("managed-runtime")] },
  {
    effects: "Resource and ScopedRef",
    tests: 11,
    ours: "`ResourceGuard.refreshable`",
    files: [core("resource")],
    pairs: ["packages/core/test/ResourceGuard.refreshable.effect.test.ts", "refreshable"],
    notAsked: [noPipe]
  },
  { effects: "TReentrantLock", tests: 7, ours: "locks held in a `ResourceScope`", files: [core("locks")] },
  {
    effects: "Pool",
    tests: 22,
    ours: "`ResourcePool.make`",
    files: [pool("effect-pool.suite"), pool("effect-pool")],
    notAsked: [["items that several borrowers share (`concurrency`)", "an item here has one borrower at a time"]]
  },
  { effects: "KeyedPool", tests: 2, ours: "`ResourcePool.keyed`", files: [pool("effect-keyed-pool")] },
  { effects: "RcRef", tests: 2, ours: "`ResourceCache.make` of one key", files: [cache("rc-ref")] },
  {
    effects: "RcMap",
    tests: 8,
    ours: "`ResourceCache.make`, `whenFull: \"fail\"`",
    files: [cache("rc-map"), cache("rc-map.idle"), cache("rc-map.broken")]
  },
  {
    effects: "ScopedCache",
    tests: 32,
    ours: "`ResourceCache.make`",
    files: [cache("scoped-cache"), cache("scoped-cache.refresh"), cache("scoped-cache.broken")],
    notAsked: [noPipe]
  },
  { effects: "Cache", tests: 1, ours: "`ResourceCache.plain`", files: [cache("effect-cache")] }
]

it("the document lists what the tests ask of both", async () => {
  await expect(renderBeside(suites, read)).toMatchFileSnapshot(path.join(root, "docs/beside-effect.md"))
})

it("every test file beside Effect's own parts is in it", () => {
  const listed = suites.flatMap(({ files }) => files)
  const asking = ["core", "pool", "cache"].flatMap((name) => filesIn(`packages/${name}/test/peers`))
    .filter((file) => file.endsWith(".test.ts") && read(file).includes("peers/beside.js"))
  expect(asking.filter((file) => !listed.includes(file))).toEqual([])
  expect(asking.length).toBeGreaterThan(5)
})

describe("the questions of a test file", () => {
  it("are the titles of what it asks, and not of what helps it", () => {
    const text = `
      const test = (title: string) => it.effect(title, () => body)
      same("both do", ask, 1)
      describe("apart", () => { asPool.same(\`each of \${n}\`, ask, 2) })
    `
    expect(questionsOf(text)).toEqual([
      { title: "both do", difference: undefined },
      { title: "each of …", difference: undefined }
    ])
  })

  it("say what each does where these differ", () => {
    const questions = questionsOf(`
      differs("it ends: there it does not", ask, answers)
      it.effect("the last goes first: in Effect's the first", () => body)
      asResource.differs("it is none: Effect's is one", ask, answers)
    `)
    expect(questions.map(({ difference }) => difference)).toEqual([
      ["it ends", "it does not"],
      ["the last goes first", "in Effect's the first"],
      ["it is none", "Effect's is one"]
    ])
  })

  it("are of two tests each, where every part has its own", () => {
    const text = `
      describe("two refreshes at once", () => {
        it.effect("Resource: acquires twice", () => body)
        it.effect("refreshable: are one", () => body)
      })
      describe("a release that fails", () => {
        it.effect(\`ScopedRef: fails the refresh (\${name})\`, () => body)
        it.effect(\`refreshable: is logged (\${name})\`, () => body)
      })
    `
    expect(pairedQuestionsOf(text, "refreshable").map(({ difference }) => difference)).toEqual([
      ["two refreshes at once: are one", "acquires twice"],
      ["a release that fails: is logged", "fails the refresh"]
    ])
  })

  it("are refused where a difference does not say what Effect's does", () => {
    expect(() => questionsOf(`differs("it ends", ask, answers)`)).toThrow("does not say what Effect's does")
  })
})
