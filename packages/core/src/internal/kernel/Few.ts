/** A set in the order of adding that mostly has one member or none: a `Set` is made for the second. Members are distinct. */
export class Few<A extends object> implements Iterable<A> {
  private first: A | undefined = undefined
  private others: Set<A> | undefined = undefined

  get size(): number {
    return (this.first === undefined ? 0 : 1) + (this.others?.size ?? 0)
  }

  add(member: A): void {
    if (this.size === 0) this.first = member
    else if (member !== this.first) (this.others ??= new Set()).add(member)
  }

  delete(member: A): boolean {
    if (member !== this.first) return this.others?.delete(member) ?? false
    this.first = undefined
    return true
  }

  /** As of a `Set`: what is added on the way is handed out, too. */
  *[Symbol.iterator](): Generator<A> {
    if (this.first !== undefined) yield this.first
    if (this.others !== undefined) yield* this.others
  }
}
