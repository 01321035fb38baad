import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Equal, Exit, Hash } from "effect"
import { inspect } from "node:util"
import { Fault, TestResource, Untellable } from "../src/index.js"

const comparable = { [Equal.symbol]: () => true, [Hash.symbol]: () => 1 }

const looks: ReadonlyArray<readonly [string, (u: any) => unknown]> = [
  ["a template", (u) => `${u}`],
  ["String", (u) => String(u)],
  ["JSON", (u) => JSON.stringify(u)],
  ["message", (u) => u.message],
  ["stack", (u) => u.stack],
  ["name", (u) => u.name],
  ["cause", (u) => u.cause],
  ["_tag", (u) => u._tag],
  ["Hash", (u) => Hash.hash(u)],
  ["Equal", (u) => Equal.equals(u, typeof u === "function" ? Object.assign(() => {}, comparable) : comparable)],
  ["Object.prototype.toString", (u) => Object.prototype.toString.call(u)]
]

const throwsAt = (value: unknown) =>
  looks.filter(([, look]) => {
    try {
      look(value)
      return false
    } catch {
      return true
    }
  }).map(([name]) => name)

const everyLook = looks.map(([name]) => name)

describe("Untellable", () => {
  it.each(["error", "value", "proxy", "errorProxy", "functionProxy", "revoked", "doubly"] as const)(
    "a value of the form %s throws at every look",
    (form) => {
      expect(throwsAt(Untellable.make(form))).toEqual(everyLook)
    }
  )

  it.each(Untellable.forms)("a value of the form %s throws at one look at least", (form) => {
    expect(throwsAt(Untellable.make(form))).not.toEqual([])
  })

  it("an untellable error is an Error, and a proxy throws on instanceof", () => {
    expect(Untellable.error() instanceof Error).toBe(true)
    expect(() => Untellable.proxy(new Error()) instanceof Error).toThrow(Untellable.LookedAt)
    expect(() => "message" in Untellable.proxy()).toThrow(Untellable.LookedAt)
    expect(() => Object.keys(Untellable.proxy())).toThrow(Untellable.LookedAt)
    expect(() => Untellable.proxy(() => {})()).toThrow(Untellable.LookedAt)
  })

  it("node's inspect throws at an untellable error", () => {
    expect(() => inspect(Untellable.error())).toThrow(Untellable.LookedAt)
  })

  it("an untellable key with a hash is hashed, and throws when it is compared", () => {
    const [a, b] = [Untellable.key({ hash: 7 }), Untellable.key({ hash: 7 })]
    expect([Hash.hash(a), Hash.hash(b)]).toEqual([7, 7])
    expect(() => Equal.equals(a, b)).toThrow(Untellable.LookedAt)
    expect(() => Hash.hash(Untellable.key())).toThrow(Untellable.LookedAt)
    expect(new Map([[a, "a"]]).get(a)).toBe("a")
  })

  it("an untellable value calls `thrown` at each access, and throws its result", () => {
    const seen: Array<PropertyKey> = []
    const dark = Untellable.error({
      thrown: (property) => {
        seen.push(property)
        return "mine"
      }
    })
    const caught = (look: () => unknown) => {
      try {
        return look()
      } catch (thrown) {
        return thrown
      }
    }
    expect([caught(() => dark.message), caught(() => dark.stack)]).toEqual(["mine", "mine"])
    expect(seen).toEqual(["message", "stack"])
  })

  it("the value thrown by a doubly untellable error throws on access, too", () => {
    const dark = Untellable.make("doubly") as Error
    let thrown: unknown
    try {
      void dark.message
    } catch (first) {
      thrown = first
    }
    expect(Untellable.isUntellable(thrown)).toBe(true)
    expect(throwsAt(thrown)).toEqual(everyLook)
  })

  it("isUntellable recognises an untellable value without an access", () => {
    const objects = Untellable.forms.filter((form) => form !== "symbol" && form !== "bigint")
    expect(objects.map(Untellable.make).every(Untellable.isUntellable)).toBe(true)
    expect([{}, new Error(), undefined, null, "text", Symbol("s")].some(Untellable.isUntellable)).toBe(false)
  })
})

describe("Fault.untellable", () => {
  const forms = Untellable.forms.flatMap((form) =>
    (["fails", "dies", "throws"] as const).map((ends) => [form, ends] as const)
  )

  // A fiber of Effect's does not survive a proxy thrown inside it: its loop asks `in` whether it is an interruption.
  const attempt = (resource: TestResource.TestResource) => {
    try {
      return resource.release()
    } catch (thrown) {
      return Effect.failCause(Cause.die(thrown))
    }
  }

  it.effect.each(forms)(
    "the release ends untellably, with the form and in the way of %j",
    ([form, ends]) =>
      Effect.gen(function*() {
        const resource = yield* TestResource.make("r", { fault: Fault.untellable(form, ends) })
        const exit = yield* Effect.exit(attempt(resource))
        expect(Exit.isFailure(exit) && Cause.isFailType(exit.cause)).toBe(ends === "fails")
        expect(Exit.isFailure(exit) && Cause.isDieType(exit.cause)).toBe(ends !== "fails")
        expect([resource.attempts(), resource.released(), resource.running()]).toEqual([1, 0, 0])
        expect(resource.journal.of("failed")).toEqual(["r"])
      })
  )

  it("the name of Fault.untellable says how it ends", () => {
    expect((["fails", "dies", "throws"] as const).map((ends) => Fault.name(Fault.untellable("proxy", ends)))).toEqual([
      "fails untellably",
      "dies untellably",
      "throws untellably"
    ])
  })
})
