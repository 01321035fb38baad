/**
 * `Data.TaggedError` with two things put right: `cause` and `message` given as fields take part in `Equal` and `Hash`
 * (`Error` makes them non-enumerable, so Effect's does not see them), and JSON always has the message.
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
  }
  return Base as never
}
