/** Small helpers for tests of what code with promises sees. */

/** What has become of a promise so far. */
type Outcome<A> =
  | { readonly state: "pending" }
  | { readonly state: "fulfilled"; readonly value: A }
  | { readonly state: "rejected"; readonly reason: any }

export const watch = <A>(promise: Promise<A>): () => Outcome<A> => {
  let outcome: Outcome<A> = { state: "pending" }
  promise.then(
    (value) => (outcome = { state: "fulfilled", value }),
    (reason: unknown) => (outcome = { state: "rejected", reason })
  )
  return () => outcome
}

/** Gives a client to the body and ends it, whether the body succeeds or fails. */
export const using = async <C extends { readonly end: () => Promise<void> }, B>(
  making: Promise<C>,
  body: (made: C) => Promise<B>
): Promise<B> => {
  const made = await making
  try {
    return await body(made)
  } finally {
    await made.end()
  }
}

export const times = (n: number, from = 0): ReadonlyArray<number> => Array.from({ length: n }, (_, i) => from + i)

/** Lets promises settle. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
