/** The keys of a program: texts, structs, one that is changed for each use, or such as cannot be told. */
import { Untellable } from "@patinox/vitest"
import { Data } from "effect"
import type { KeyKind } from "./program.js"

/** The keys that a program gives to the cache, and back. */
export class Keys {
  private readonly untellable = new Map<string, object>()
  private readonly names = new Map<unknown, string>()
  private readonly url = new URL("http://host/")

  constructor(private readonly kind: KeyKind) {}

  of(name: string): unknown {
    switch (this.kind) {
      case "text":
        return name
      case "struct":
        return Data.struct({ name })
      case "changed": {
        this.url.pathname = name
        return this.url
      }
      case "untellable": {
        const made = this.untellable.get(name) ?? Untellable.key(name < "c" ? { hash: 1 } : {})
        this.untellable.set(name, made)
        this.names.set(made, name)
        return made
      }
    }
  }

  nameOf(key: any): string {
    switch (this.kind) {
      case "text":
        return key
      case "struct":
        return key.name
      case "changed":
        return key.pathname.slice(1)
      case "untellable":
        return this.names.get(key)!
    }
  }
}
