import { expect, it } from "@effect/vitest"

it("the names of guards in a test", async () => {
  expect((await import("./names.js")).names.length).toBeGreaterThan(10)
})
