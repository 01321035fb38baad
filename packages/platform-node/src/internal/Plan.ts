/** When what happens in a shutdown, and how the process ends. Pure decisions over plain data. */

/** Milliseconds from the signal on. */
export interface Plan {
  /** The running fibers are interrupted. */
  readonly interruptAt: number
  /** What has not ended by then is abandoned, and the scope closes. */
  readonly abandonAt: number
  /** The scope is closed, whatever still runs in it. */
  readonly closedAt: number
  /** The process has ended. */
  readonly endAt: number
}

/**
 * The fibers have the time up to the margin that the scope's own close keeps, too: 5 s, at most 20 %. A little at the end
 * is for the report and for the logger to close.
 */
export const plan = (shutdownTimeout: number, readinessDelay: number): Plan => {
  const left = shutdownTimeout - readinessDelay
  return {
    interruptAt: readinessDelay,
    abandonAt: shutdownTimeout - Math.min(5_000, left * 0.2),
    closedAt: shutdownTimeout - Math.min(1_000, left * 0.1),
    endAt: shutdownTimeout
  }
}

/** When the nth line of progress is due, from 0: after 2 s, and each time twice as late. */
export const progressAt = (n: number): number => 2_000 * 2 ** n

/** When the nth line about a start that takes its time is due, from 0: after 10 s, and each time twice as late. */
export const startProgressAt = (n: number): number => 10_000 * 2 ** n

/** What is known when the process ends. */
export interface Facts {
  /** What the teardown makes of the program's exit. */
  readonly programCode: number
  /** Everything was cleaned up, and nothing abandoned. */
  readonly isClean: boolean
  readonly hasUncaught: boolean
  readonly isOverdue: boolean
  /** `process.exitCode`, where the program has set it. */
  readonly processCode: number
}

export const exitCode = ({ hasUncaught, isClean, isOverdue, processCode, programCode }: Facts): number =>
  programCode !== 0 ? programCode : isClean && !hasUncaught && !isOverdue ? processCode : 1

/** A signal and the earliest time at which it can have come: a busy process hears of it late. */
export interface Received {
  readonly signal: string
  readonly at: number
}

/** A signal that comes again within so many milliseconds is the first one, delivered twice. */
export const repeatMillis = 500

/**
 * Whether the second signal is the first one delivered twice: a terminal, a process group or a closing shell sends its own,
 * and a parent such as `tsx`, `nodemon` or `concurrently` hands on the one that it got.
 */
export const isRepeated = (first: Received, second: Received): boolean =>
  first.signal === second.signal && second.at - first.at < repeatMillis
