/**
 * Sends mail in the background of the work: what is written waits until the mailer is closed. The transport is the seam
 * that tests put something else behind.
 */
import { ResourceGuard } from "@patinox/core"
import { Context, Data, Effect } from "effect"
import { sql } from "../../sqlite/src/Connection.js"
import { Database } from "./Database.js"

export interface Mail {
  readonly to: string
  readonly text: string
}

export class Transport extends Context.Tag("layered-app/Transport")<Transport, {
  readonly send: (mails: ReadonlyArray<Mail>) => Effect.Effect<void, TransportError>
}>() {}

export class TransportError extends Data.TaggedError("TransportError")<{ readonly reason: string }> {
  override get message(): string {
    return `Mail cannot be sent: ${this.reason}`
  }
}

export class Mailer extends Context.Tag("layered-app/Mailer")<Mailer, {
  readonly pending: Array<Mail>
  readonly write: (mail: Mail) => Effect.Effect<void>
}>() {}

const make = () => {
  const pending: Array<Mail> = []
  return Mailer.of({ pending, write: (mail) => Effect.sync(() => void pending.push(mail)) })
}

const createOutbox = "CREATE TABLE IF NOT EXISTS outbox (recipient TEXT, text TEXT)"

/** For the next start to send. */
const keep = ({ pending }: Mailer["Type"]) =>
  Effect.flatMap(Database, (database) =>
    Effect.andThen(
      database.exec(createOutbox),
      Effect.forEach(pending, ({ text, to }) => database.exec(sql`INSERT INTO outbox VALUES (${to}, ${text})`))
    ))

export const layer = ResourceGuard.layer(
  Mailer,
  Effect.sync(make),
  ({ pending }) => Effect.flatMap(Transport, ({ send }) => pending.length === 0 ? Effect.void : send(pending)),
  {
    // What cannot be sent is kept in the database, which therefore must still be there.
    dependsOn: [Database],
    interruptible: true,
    timeout: "3 seconds",
    recovery: { strategy: () => "Fallback", fallback: keep }
  }
)
