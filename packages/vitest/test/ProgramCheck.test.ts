import { expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import { ProgramCheck, Untellable } from "../src/index.js"

interface Numbers {
  readonly commands: ReadonlyArray<number>
}

const format = ({ commands }: Numbers) => commands.join(" ")
const upTo = (length: number): Numbers => ({ commands: Array.from({ length }, (_, n) => n) })

it.live("ProgramCheck gives the value of each program that holds, in order", () =>
  Effect.gen(function*() {
    const execute = ({ commands }: Numbers) => ({ _tag: "Held", value: commands.length } as const)
    const values = yield* ProgramCheck.check([1, 20, 3].map(upTo), { execute, format })
    expect(values).toEqual([1, 20, 3])
  }))

it.live("ProgramCheck shows the smallest program that is still broken, and runs none after it", () =>
  Effect.gen(function*() {
    const lengths: Array<number> = []
    const execute = ({ commands }: Numbers): ProgramCheck.Result<void> => {
      lengths.push(commands.length)
      return commands.includes(3) && commands.includes(17)
        ? { _tag: "Broken", step: `${commands.length}`, violation: Untellable.error() }
        : { _tag: "Held", value: undefined }
    }
    const broken = yield* Effect.flip(ProgramCheck.check([upTo(10), upTo(40), upTo(50)], { execute, format }))
    expect(broken).toMatchObject({ _tag: "ProgramBroken", index: 1, step: "2", program: "3 17" })
    expect(broken.message).toBe("Program 1 is broken at step 2\na violation without text\n3 17")
    expect(Math.max(...lengths)).toBe(40)
  }))

it.live("ProgramCheck shows the whole program where it is not broken again", () =>
  Effect.gen(function*() {
    let runs = 0
    const execute = (): ProgramCheck.Result<void> =>
      ++runs === 1 ? { _tag: "Broken", step: "1", violation: "once" } : { _tag: "Held", value: undefined }
    const outcome = yield* Effect.either(ProgramCheck.check([upTo(3)], { execute, format }))
    expect(Either.isLeft(outcome) && outcome.left.message)
      .toBe("Program 0 is broken at step ?\nbroken once, and not again\n0 1 2")
  }))
