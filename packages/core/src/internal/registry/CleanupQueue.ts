/**
 * The cleanups that wait for the registry, most urgent first, then first come first served. A `TPriorityQueue` ordered by
 * (band, sequence): by the band alone, equals would come out last-in first-out, and elements with structural equality
 * would share a slot and cost O(n). Its elements are runs of requests of one band, between which nothing can come, as
 * requests are offered in their sequence: so a million that wait cost no more than some thousand. Nothing here blocks, so
 * nothing can lose an element to an interruption. The only file that uses STM.
 */
import { Effect, Option, Order, STM, TPriorityQueue } from "effect"

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

// None of these ever waits: they can be run in the caller's turn.
const now = <A>(transaction: STM.STM<A>): A => Effect.runSync(STM.commit(transaction))

export const make = <A extends Queued>(): CleanupQueue<A> => {
  const runs = now(TPriorityQueue.empty<Run<A>>(order))
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
      now(TPriorityQueue.offer(runs, run))
    },
    take: () => {
      first ??= Option.getOrUndefined(now(TPriorityQueue.peekOption(runs)))
      if (first === undefined) return undefined
      const run = first
      const request = run.requests[run.taken]
      run.requests[run.taken++] = undefined
      if (run.taken === run.requests.length) {
        now(TPriorityQueue.take(runs))
        first = undefined
        if (last[run.band] === run) last[run.band] = undefined
      }
      return request
    }
  }
}
