/** The layers of the application, composed. What it runs against comes from outside: the transport and the registry. */
import { Layer } from "effect"
import * as Accounts from "./Accounts.js"
import * as Database from "./Database.js"
import * as Mailer from "./Mailer.js"

export const layer = (path: string) =>
  Accounts.layer.pipe(
    Layer.provideMerge(Mailer.layer),
    Layer.provideMerge(Database.layer(path))
  )
