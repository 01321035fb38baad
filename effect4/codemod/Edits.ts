/** Changes of a text by position, made all at once: positions stay those of the text as it was read. */
export class Edits {
  private readonly edits: Array<{ readonly start: number; readonly end: number; readonly text: string }> = []

  constructor(private readonly source: string) {}

  replace(start: number, end: number, text: string): void {
    this.edits.push({ start, end, text })
  }

  get isEmpty(): boolean {
    return this.edits.length === 0
  }

  /** The text with the edits that lie between two positions; one inside of another is lost to the outer. */
  apply(start = 0, end = this.source.length): string {
    const within = this.edits
      .filter((edit) => edit.start >= start && edit.end <= end)
      .sort((a, b) => a.start - b.start || b.end - a.end)
    let text = ""
    let at = start
    for (const edit of within) {
      if (edit.start < at) continue
      text += this.source.slice(at, edit.start) + edit.text
      at = edit.end
    }
    return text + this.source.slice(at, end)
  }
}
