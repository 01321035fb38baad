/** Which packages there are, and what a package of the edition says of itself. */

/** What Effect 4 is, for the packages. */
export const effectVersion = "4.1.0"

/** Each builds on those before it. */
export const packages = ["core", "vitest", "pool", "cache", "platform", "platform-node"] as const

/** Folders beside the packages that their tests share. */
export const shared = ["scripts/testing", "scripts/peers"] as const

/** Documents that tests read. */
export const documents = ["docs/hit-rates.md"] as const

interface Manifest {
  name: string
  version: string
  peerDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
  engines?: Record<string, string>
}

/** Peers of the first edition that are part of effect itself in Effect 4, or another version of the same. */
const versions: Readonly<Record<string, string | undefined>> = {
  effect: `^${effectVersion}`,
  "@effect/platform": undefined,
  "@effect/platform-node": "^4.1.0",
  "@effect/vitest": "^4.0.5",
  vitest: "^5.0.0"
}

const dependencies = (all: Record<string, string> | undefined): Record<string, string> | undefined =>
  all && Object.fromEntries(
    Object.entries(all).flatMap(([name, range]): ReadonlyArray<[string, string]> => {
      const version = name.startsWith("@patinox/") ? "^2.0.0" : name in versions ? versions[name] : range
      return version === undefined ? [] : [[name, version]]
    })
  )

/** Major 2 of the same name. */
export const manifest = (text: string): string => {
  const read = JSON.parse(text) as Manifest
  const { devDependencies: _, ...rest } = read
  return JSON.stringify(
    { ...rest, version: "2.0.0", peerDependencies: dependencies(read.peerDependencies) },
    undefined,
    2
  ) + "\n"
}
