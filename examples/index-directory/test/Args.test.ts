import { describe, expect, it } from "@effect/vitest"
import { parse } from "../src/Args.js"

const surroundings = { cwd: "/home/me", directory: "/repository", target: "/tmp/index.sqlite" }
const parsed = (...argv: ReadonlyArray<string>) => parse(argv, surroundings)

describe("Args", () => {
  it("Args are the repository and the temporary directory where none are given", () => {
    expect(parsed()).toEqual({
      _tag: "Run",
      settings: { directory: "/repository", target: "/tmp/index.sqlite", fault: undefined, serve: false }
    })
  })

  it("Args resolve paths against the working directory", () => {
    expect(parsed("src", "--out", "../index", "--serve", "--fault", "hang")).toEqual({
      _tag: "Run",
      settings: { directory: "/home/me/src", target: "/home/index", fault: "hang", serve: true }
    })
  })

  it("Args name an argument that is not understood", () => {
    const message = (...argv: ReadonlyArray<string>) => {
      const command = parsed(...argv)
      return command._tag === "Wrong" ? command.message : command._tag
    }
    expect(message("--unknown")).toMatch(/^Unknown option '--unknown'/)
    expect(message("--fault", "explode")).toBe("--fault explode: expected one of hang, fail, die, ignore")
    expect(message("--fault")).toMatch(/'--fault <value>' argument missing/)
    expect(message("--out", "")).toBe("A path must not be empty")
    expect(message("")).toBe("A path must not be empty")
    expect(message("a", "b")).toBe("One directory can be indexed, not 2")
  })

  it("--help wins over all other arguments", () => {
    expect(parsed("--help", "a", "b")).toMatchObject({ _tag: "Help" })
  })
})
