/**
 * A change to the source that breaks a promise: `find` stands once in `file`, and with `replace` in its place a test of
 * `tests` must fail. `npm run mutate` makes them one by one; a test of the gate keeps the list in step with the sources.
 */
export interface Mutation {
  readonly name: string
  readonly file: string
  readonly find: string
  readonly replace: string
  readonly tests: ReadonlyArray<string>
}

/** Those of one package: files from its sources on, tests by their names without the ending, be they another's. */
export const mutationsOf =
  (folder: string, testFolder = folder) =>
  (name: string, file: string, find: string, replace: string, ...tests: ReadonlyArray<string>): Mutation => ({
    name,
    file: `packages/${folder}/src/${file}`,
    find,
    replace,
    tests: tests.map((test) => `packages/${testFolder}/test/${test}.test.ts`)
  })
