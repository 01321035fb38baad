import { describe, expect, it } from "@effect/vitest"
import { PatinoxError } from "@patinox/core"
import { Untellable } from "@patinox/vitest"
import { CacheError } from "../src/index.js"

const counts = { entries: 3, inUse: 2, loading: 1, waiting: 4, releasing: 0, weight: 3 }

const errors = {
  timeout: new CacheError.CacheTimeout({ cache: "files", key: "a", stage: "room", limitMillis: 1_500, counts }),
  full: new CacheError.CacheFull({ cache: "files", key: { tenant: 7 }, counts: { ...counts, releasing: 2 } }),
  closed: new CacheError.CacheClosed({ cache: "files", reason: "closed" }),
  circle: new CacheError.CacheFull({ cache: "files", key: "a", isCircle: true, counts }),
  released: new CacheError.CacheValueReleased({ cache: "files", key: "a" }),
  cycle: new CacheError.CacheCycle({ cache: "files", key: 5 })
}

it("is told from anything else, even from what throws at the question", () => {
  for (const form of Untellable.forms) expect(CacheError.is(Untellable.make(form))).toBe(false)
})

describe("the errors of a cache", () => {
  it("say which cache and key, what it was like, and why", () => {
    expect(Object.values(errors).map(({ message }) => message)).toEqual([
      "Cache files: timed out after 1.5 s waiting for room for a, as everything is in use " +
      "(entries 3, in use 2, loading 1, waiting 4)",
      "Cache files: no room for {\"tenant\":7}, as everything is in use " +
      "(entries 3, in use 2, loading 1, releasing 2, waiting 4)",
      "Cache files is closed",
      "Cache files: no room for a, as what has it waits for more room in turn (entries 3, in use 2, loading 1, waiting 4)",
      "Cache files: the load of a gave a value that the cache is releasing",
      "Cache files: the load of 5 waits for itself"
    ])
    expect(new CacheError.CacheTimeout({ ...errors.timeout, stage: "lookup" }).message).toContain(
      "timed out after 1.5 s waiting for the load of a ("
    )
    expect(new CacheError.CacheClosed({ cache: "files", reason: "registry shutting down" }).message).toBe(
      "Cache files is closed: registry shutting down"
    )
  })

  it("the errors of a cache have one line, whatever the key is", () => {
    const circular: { self?: unknown } = {}
    circular.self = circular
    const keys: ReadonlyArray<unknown> = [
      "first\nsecond",
      circular,
      Symbol("a"),
      undefined,
      null,
      -0,
      10n,
      () => {}
    ]
    for (const key of keys) {
      const { message } = new CacheError.CacheCycle({ cache: "files", key })
      expect(message).toMatch(/^Cache files: the load of .* waits for itself$/)
    }
  })

  it("the errors of a cache have a way out each", () => {
    const strategies = Object.entries(errors).map(([name, error]) => [name, CacheError.recoveryStrategy(error)])
    expect(Object.fromEntries(strategies)).toEqual({
      timeout: "Retry",
      full: "Retry",
      closed: "Fail",
      circle: "Retry",
      released: "Retry",
      cycle: "Fail"
    })
  })

  it("convert to an exhausted resource of the whole, and keep their message and themselves", () => {
    for (const error of Object.values(errors)) {
      const converted = CacheError.toPatinoxError(error)
      expect(converted).toBeInstanceOf(PatinoxError.Execution)
      expect(converted.error).toMatchObject({ _tag: "ResourceExhausted", resource: "files", message: error.message })
      expect((converted.error as PatinoxError.ResourceExhausted).cause).toBe(error)
    }
  })

  it("the errors of a cache are told from other errors", () => {
    for (const error of Object.values(errors)) expect(CacheError.is(error)).toBe(true)
    for (const other of [new Error("other"), { _tag: "CacheFull" }, undefined, null]) {
      expect(CacheError.is(other)).toBe(false)
    }
  })
})
