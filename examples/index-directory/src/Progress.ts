/** How far the indexing is, as plain data, and how that is put on a terminal and elsewhere. Pure. */

export interface Progress {
  readonly phase: "searching" | "indexing" | "complete"
  readonly total: number
  readonly indexed: number
  readonly unreadable: number
}

export const initial: Progress = { phase: "searching", total: 0, indexed: 0, unreadable: 0 }

export const oneIndexed = (now: Progress): Progress => ({ ...now, indexed: now.indexed + 1 })
export const oneUnreadable = (now: Progress): Progress => ({ ...now, unreadable: now.unreadable + 1 })

const done = ({ indexed, unreadable }: Progress): number => indexed + unreadable

/** Whole percent. */
export const percent = (progress: Progress): number =>
  progress.total === 0 ? 0 : Math.floor((100 * done(progress)) / progress.total)

/** A bar with the numbers behind it, in at most `columns`. */
export const bar = (progress: Progress, columns: number): string => {
  const numbers = ` ${percent(progress)} %  ${done(progress)} of ${progress.total} files`
  const width = Math.min(40, columns - numbers.length - 3)
  if (width < 1) return numbers.trim().slice(0, Math.max(0, columns - 1))
  const filled = Math.floor((width * percent(progress)) / 100)
  return `[${"#".repeat(filled)}${"-".repeat(width - filled)}]${numbers}`
}

const quarter = (progress: Progress): number => Math.floor(percent(progress) / 25)

/** A line each time another quarter is done. */
export const line = (before: Progress, now: Progress): string | undefined =>
  quarter(now) > quarter(before)
    ? `${String(percent(now)).padStart(3)} %  ${done(now)} of ${now.total} files`
    : undefined
