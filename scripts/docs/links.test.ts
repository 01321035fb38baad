/** Every relative link of the documents points to something that exists. */
import path from "node:path"
import { describe, expect, it } from "vitest"
import { anchorsOf, linksOf } from "./links.js"
import { documents, exists, read } from "./repository.js"

const isElsewhere = (target: string) => /^[a-z][a-z+.-]*:/i.test(target)

const brokenLinks = (file: string, text: string): ReadonlyArray<string> =>
  linksOf(text).flatMap(({ line, target }) => {
    if (isElsewhere(target)) return []
    const [relative, anchor] = target.split("#")
    const to = relative === "" ? file : path.posix.join(path.posix.dirname(file), decodeURIComponent(relative))
    const at = `${file}:${line}: ${target}`
    // `npm run api` generates these.
    if (to.startsWith("docs/api")) return []
    if (to !== file && !exists(to)) return [`${at} does not exist`]
    if (anchor === undefined || !to.endsWith(".md")) return []
    return anchorsOf(relative === "" ? text : read(to)).has(anchor) ? [] : [`${at} has no such heading`]
  })

describe("the links hold", () => {
  it.each(documents)("of %s", (file) => {
    expect(brokenLinks(file, read(file))).toEqual([])
  })
})

describe("a link is broken", () => {
  const broken = (text: string) => brokenLinks("README.md", text)

  it("if its file or its heading does not exist", () => {
    expect(broken("see [a](docs/none.md)")).toEqual(["README.md:1: docs/none.md does not exist"])
    expect(broken("# Title\n[a](#other)")).toEqual(["README.md:2: #other has no such heading"])
    expect(broken("[a]: ./none.md")).toHaveLength(1)
  })

  it("but not if they exist, if it leads elsewhere, or if it is code", () => {
    expect(broken("# What `it` is, and\n[a](#what-it-is-and) [l](LICENSE) ![i](https://example.org/none.png)")).toEqual(
      []
    )
    expect(broken("# Twice\n# Twice\n[a](#twice-1)")).toEqual([])
    expect(broken("`[a](none.md)`\n```\n[a](none.md)\n```")).toEqual([])
  })
})
