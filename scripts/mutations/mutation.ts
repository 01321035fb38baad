/**
 * A change to the sources that breaks a promise, or brings back a fault that was found once. Inside the member `at` of
 * the package, `find` stands once; with `replace` in its place a test of `tests` has to fail.
 */
export interface Mutation {
  /** What is wrong with the sources once they are changed so. */
  readonly what: string
  readonly breaks: Breaks
  readonly folder: string
  /** `Class.member`, or the name of a function or constant of a module; which file has it does not matter. */
  readonly at: string
  readonly find: string
  readonly replace: string
  /** Files of tests, from the root of the repository on. */
  readonly tests: ReadonlyArray<string>
}

type Breaks = "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "fault"

type Entry = Omit<Mutation, "folder">

/** Mutations of one package. A test is named without its folder and ending; `pool:model/promises` is one of another package. */
export const mutationsOf = (folder: string, entries: ReadonlyArray<Entry>): ReadonlyArray<Mutation> =>
  entries.map((entry) => ({
    ...entry,
    folder,
    tests: entry.tests.map((test) => {
      const [name, owner] = test.split(":").reverse()
      return `packages/${owner ?? folder}/test/${name}.test.ts`
    })
  }))
