/** A stretch of a file, and its replacement. */
export interface Edit {
  readonly file: string
  readonly start: number
  readonly end: number
  readonly replace: string
}

export const applyEdit = (text: string, { end, replace, start }: Edit): string =>
  text.slice(0, start) + replace + text.slice(end)
