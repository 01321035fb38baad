/** What the capture of a place leaves behind. */
import { ResourceGuard } from "@patinox/core"
import { Effect } from "effect"
import { expect, it } from "vitest"

it("leaves the limit of stack traces as it was, also where the stack has no room left", () => {
  const limit = Error.stackTraceLimit
  let isDeep = false
  const deeper = (): void => {
    ResourceGuard.make(Effect.void, () => Effect.void)
    deeper()
  }
  try {
    deeper()
  } catch (error) {
    isDeep = error instanceof RangeError
  }
  expect(isDeep).toBe(true)
  expect(Error.stackTraceLimit).toBe(limit)
})
