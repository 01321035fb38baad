/**
 * `Data.TaggedError` with three things put right: `cause` and `message` given as fields are shown as such (`Error` makes
 * them non-enumerable), JSON always has the message, and an inspection shows an error, and not a record.
 *
 * @internal
 */
import { Data } from "effect"

/** As `Data.TaggedError`. A class may compute its message: `override get message()`. */
export const TaggedError: typeof Data.TaggedError = (tag) => {
  class Base extends Data.TaggedError(tag)<Record<string, unknown>> {
    constructor(args: Record<string, unknown>) {
      super(args)
      for (const key of ["cause", "message"]) {
        if (Object.hasOwn(this, key)) Object.defineProperty(this, key, { enumerable: true })
      }
    }
    override toJSON() {
      return { ...this, message: this.message }
    }
    [Symbol.for("nodejs.util.inspect.custom")]() {
      return this
    }
  }
  return Base as never
}
