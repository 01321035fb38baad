import { expect, it } from "@effect/vitest"
import { rulesOf } from "../../../src/internal/state/Phase.js"
import { phases } from "../../../src/internal/state/Vocabulary.js"

it("borrowers are let in only while the pool is open, and nobody is served once it is closed", () => {
  expect(phases.filter((phase) => rulesOf[phase].isOpen)).toEqual(["open"])
  expect(phases.map((phase) => rulesOf[phase].line)).toEqual(["all", "all", "validated", "none"])
  expect(phases.map((phase) => rulesOf[phase].shown)).toEqual(["open", "draining", "draining", "closed"])
})
