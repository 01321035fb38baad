/** The links and anchors of a Markdown text, as GitHub renders them. */

export interface Link {
  readonly line: number
  readonly target: string
}

/** Lines with fenced and inline code blanked: what looks like a link there is none. */
const proseLines = (text: string): ReadonlyArray<string> => {
  let isFenced = false
  return text.split("\n").map((line) => {
    if (/^\s*```/.test(line)) {
      isFenced = !isFenced
      return ""
    }
    return isFenced ? "" : line
  })
}

export const linksOf = (text: string): ReadonlyArray<Link> =>
  proseLines(text).flatMap((line, index) => {
    const prose = line.replace(/`[^`]*`/g, "code")
    const inline = prose.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)/g)
    const definitions = prose.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/g)
    return [...inline, ...definitions].map(([, target]) => ({ line: index + 1, target }))
  })

export const anchorsOf = (text: string): ReadonlySet<string> => {
  const anchors = new Set<string>()
  for (const line of proseLines(text)) {
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1]
    for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id)
    if (heading === undefined) continue
    const shown = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "")
    const slug = shown.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-")
    let anchor = slug
    for (let copy = 1; anchors.has(anchor); copy++) anchor = `${slug}-${copy}`
    anchors.add(anchor)
  }
  return anchors
}
