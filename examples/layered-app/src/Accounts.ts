/** What the application does. No resource of its own: only layers below it have any. */
import { Context, Data, Effect, Layer } from "effect"
import { sql } from "../../sqlite/src/Connection.js"
import { Database, type DatabaseError } from "./Database.js"
import { Mailer } from "./Mailer.js"

export class UnknownAccount extends Data.TaggedError("UnknownAccount")<{ readonly owner: string }> {}
export class InsufficientFunds extends Data.TaggedError("InsufficientFunds")<{
  readonly owner: string
  readonly balance: number
}> {}

export class Accounts extends Context.Tag("layered-app/Accounts")<Accounts, {
  readonly open: (owner: string, balance: number) => Effect.Effect<void, DatabaseError>
  readonly balance: (owner: string) => Effect.Effect<number, DatabaseError | UnknownAccount>
  readonly transfer: (
    from: string,
    to: string,
    amount: number
  ) => Effect.Effect<void, DatabaseError | InsufficientFunds | UnknownAccount>
}>() {}

export const layer = Layer.effect(
  Accounts,
  Effect.gen(function*() {
    const { exec, rows, transaction } = yield* Database
    const mailer = yield* Mailer
    yield* exec("CREATE TABLE IF NOT EXISTS accounts (owner TEXT PRIMARY KEY, balance INTEGER)")

    const balance = (owner: string) =>
      Effect.flatMap(
        rows<number>(sql`SELECT balance FROM accounts WHERE owner = ${owner}`),
        ([balance]) => balance === undefined ? Effect.fail(new UnknownAccount({ owner })) : Effect.succeed(balance)
      )
    const add = (owner: string, amount: number) =>
      Effect.andThen(
        balance(owner),
        exec(sql`UPDATE accounts SET balance = balance + ${amount} WHERE owner = ${owner}`)
      )

    return {
      balance,
      open: (owner, balance) => exec(sql`INSERT INTO accounts VALUES (${owner}, ${balance})`),
      transfer: (from, to, amount) =>
        transaction(Effect.gen(function*() {
          yield* add(from, -amount)
          const left = yield* balance(from)
          if (left < 0) return yield* new InsufficientFunds({ owner: from, balance: left + amount })
          yield* add(to, amount)
        })).pipe(Effect.andThen(mailer.write({ to, text: `${amount} from ${from}` })))
    }
  })
)
