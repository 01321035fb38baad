/**
 * The cleanups that wait for the registry, most urgent first, then first come first served: a pairing heap in one
 * `TxRef`, ordered by (band, sequence), as the `TxPriorityQueue` of Effect 4 costs O(n) for each element. Its elements are
 * runs of requests of one band, between which nothing can come, as requests are offered in their sequence: so a million
 * that wait cost no more than some thousand. Nothing here blocks, so nothing can lose an element to an interruption. The
 * only file that uses transactions.
 */
import { Effect, Order, TxRef } from "effect"

export interface Queued {
  /** 3 is the most urgent. */
  readonly band: number
  readonly sequence: number
}

/** Negative when `a` starts before `b`. */
export const order: Order.Order<Queued> = Order.make((a, b) =>
  a.band !== b.band
    ? a.band > b.band ? -1 : 1
    : a.sequence < b.sequence
    ? -1
    : a.sequence > b.sequence
    ? 1
    : 0
)

export interface CleanupQueue<A extends Queued> {
  /** In the order of their sequence. */
  readonly offer: (request: A) => void
  /** Takes the first out, if there is one. */
  readonly take: () => A | undefined
}

interface Run<A> extends Queued {
  readonly requests: Array<A | undefined>
  taken: number
}

const maxRun = 1_024

/** A pairing heap, never changed: its first element, and a list of heaps none of whose elements comes before that. */
interface Heap<A> {
  readonly first: A
  readonly rest: Heaps<A> | undefined
}

interface Heaps<A> {
  readonly heap: Heap<A>
  readonly others: Heaps<A> | undefined
}

const meld = <A extends Queued>(a: Heap<A>, b: Heap<A>): Heap<A> =>
  order(a.first, b.first) <= 0
    ? { first: a.first, rest: { heap: b, others: a.rest } }
    : { first: b.first, rest: { heap: a, others: b.rest } }

const insert = <A extends Queued>(heap: Heap<A> | undefined, element: A): Heap<A> => {
  const single = { first: element, rest: undefined }
  return heap === undefined ? single : meld(heap, single)
}

/** What is left without the first: melded in pairs, and the pairs from the last on. In loops, as there may be many. */
const withoutFirst = <A extends Queued>({ rest }: Heap<A>): Heap<A> | undefined => {
  let pairs: Heaps<A> | undefined
  for (let left = rest; left !== undefined;) {
    const next: Heaps<A> | undefined = left.others
    const heap: Heap<A> = next === undefined ? left.heap : meld(left.heap, next.heap)
    pairs = { heap, others: pairs }
    left = next?.others
  }
  let heap = pairs?.heap
  for (let left = pairs?.others; left !== undefined; left = left.others) heap = meld(heap!, left.heap)
  return heap
}

// None of these ever waits: they can be run in the caller's turn.
const now = <A>(transaction: Effect.Effect<A>): A => Effect.runSync(transaction)

export const make = <A extends Queued>(): CleanupQueue<A> => {
  const runs = TxRef.makeUnsafe<Heap<Run<A>> | undefined>(undefined)
  /** Of each band, the run that takes in what comes next. */
  const last: Array<Run<A> | undefined> = []
  /** The first run, where it is known. */
  let first: Run<A> | undefined
  return {
    offer: (request) => {
      const { band, sequence } = request
      const open = last[band]
      if (open !== undefined && open.requests.length < maxRun) {
        open.requests.push(request)
        return
      }
      const run: Run<A> = { band, sequence, requests: [request], taken: 0 }
      last[band] = run
      if (first !== undefined && order(run, first) < 0) first = undefined
      now(TxRef.update(runs, (heap) => insert(heap, run)))
    },
    take: () => {
      first ??= now(TxRef.get(runs))?.first
      if (first === undefined) return undefined
      const run = first
      const request = run.requests[run.taken]
      run.requests[run.taken++] = undefined
      if (run.taken === run.requests.length) {
        now(TxRef.update(runs, (heap) => withoutFirst(heap!)))
        first = undefined
        if (last[run.band] === run) last[run.band] = undefined
      }
      return request
    }
  }
}
