/** The PostgreSQL server that tests use where it is there. */
import { Client } from "pg"

export const postgres = { host: "127.0.0.1", port: 5432, user: "postgres", database: "test" } as const

/** Whether the server answers. Where it has to be there and does not, that is an error. */
export const isPostgresThere = async (): Promise<boolean> => {
  const client = new Client({ ...postgres, connectionTimeoutMillis: 5_000 })
  try {
    await client.connect()
    await client.end()
    return true
  } catch (error) {
    if (process.env["PATINOX_REQUIRE_POSTGRES"] === "1") throw error
    console.log(
      "SKIPPED: no PostgreSQL at 127.0.0.1:5432 (examples/README.md: how to start one); what needs it is left out"
    )
    return false
  }
}
