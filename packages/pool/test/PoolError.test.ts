import { describe, expect, it } from "@effect/vitest"
import { PatinoxError } from "@patinox/core"
import { Cause, Option } from "effect"
import { PoolError } from "../src/index.js"

const counts = { total: 3, idle: 1, inUse: 2, creating: 0, destroying: 0, waiting: 4 }

const errors = {
  timeout: new PoolError.PoolTimeout({
    pool: "db",
    stage: "waiting",
    limitMillis: 1_500,
    counts,
    lastCreationFailure: Option.none()
  }),
  exhausted: new PoolError.PoolExhausted({ pool: "db", counts: { ...counts, idle: 0 }, maxWaiters: 0 }),
  closed: new PoolError.PoolClosed({ pool: "db" }),
  creation: new PoolError.PoolCreationFailed({ pool: "db", cause: Cause.fail({ code: 1 }), failures: 2 }),
  validation: new PoolError.PoolValidationFailed({ pool: "db", cause: Cause.fail(new Error("stale\nsecond line")) })
}

describe("the errors of a pool", () => {
  it("say which pool, what it was like, and why", () => {
    expect(Object.values(errors).map(({ message }) => message)).toEqual([
      "Pool db: timed out after 1.5 s waiting for an item to be returned (total 3, idle 1, in use 2, waiting 4)",
      "Pool db is exhausted: no item is idle (total 3, idle 0, in use 2, waiting 4)",
      "Pool db is closed",
      "Pool db cannot create items (2 failures in a row): {\"code\":1}",
      "Pool db: no idle item passed its validation: Error: stale"
    ])
    expect(new PoolError.PoolExhausted({ pool: "db", counts, maxWaiters: 1 }).message).toContain(
      "no more than 1 borrower may wait"
    )
    const busy = { ...counts, creating: 1, destroying: 2 }
    expect(
      new PoolError.PoolTimeout({ ...errors.timeout, counts: busy, stage: "creating" }).message
    ).toContain("waiting for an item to be created (total 3, idle 1, in use 2, creating 1, destroying 2, waiting 4)")
    expect(new PoolError.PoolCreateTimeout({ pool: "db", limitMillis: 30_000 }).message).toBe(
      "Pool db: creating an item took longer than 30 s"
    )
    expect(new PoolError.PoolOperationTimeout({ pool: "db", operation: "recycle", limitMillis: 5 }).message).toBe(
      "Pool db: recycle took longer than 5 ms"
    )
  })

  it("the errors of a pool have a way out each", () => {
    const strategies = Object.entries(errors).map(([name, error]) => [name, PoolError.recoveryStrategy(error)])
    expect(Object.fromEntries(strategies)).toEqual({
      timeout: "Retry",
      exhausted: "Retry",
      closed: "Fail",
      creation: "Fallback",
      validation: "Retry"
    })
  })

  it("convert to an exhausted resource of the whole, and keep their message and themselves", () => {
    for (const error of Object.values(errors)) {
      const converted = PoolError.toPatinoxError(error)
      expect(converted).toBeInstanceOf(PatinoxError.Execution)
      expect(converted.error).toMatchObject({ _tag: "ResourceExhausted", resource: "db", message: error.message })
      expect((converted.error as PatinoxError.ResourceExhausted).cause).toBe(error)
    }
  })

  it("the errors of a pool are told from other errors", () => {
    for (const error of Object.values(errors)) expect(PoolError.is(error)).toBe(true)
    const others = [new PoolError.PoolCreateTimeout({ pool: "db", limitMillis: 1 }), new Error("other"), undefined]
    for (const other of others) expect(PoolError.is(other)).toBe(false)
  })

  it("give the typed failure of a creation, which a defect has none of", () => {
    expect(errors.creation.error).toEqual(Option.some({ code: 1 }))
    expect(
      new PoolError.PoolCreationFailed({ pool: "db", cause: Cause.die("bug"), failures: 1 }).error
    ).toEqual(Option.none())
  })
})
