/** A shop whose customers choose what they filter by: few texts are asked for often, many now and then. */
import { Effect, Random } from "effect"
import { all, run } from "./Statements.js"

const colours = ["red", "green", "blue", "white", "black"]

export const fill = (articles: number) =>
  Effect.gen(function*() {
    yield* run(
      "CREATE TABLE articles (id INTEGER PRIMARY KEY, colour TEXT, price INTEGER, stock INTEGER, weight INTEGER)"
    )
    yield* run("BEGIN")
    for (let id = 0; id < articles; id++) {
      const colour = colours[id % colours.length]!
      yield* run("INSERT INTO articles VALUES (?, ?, ?, ?, ?)", id, colour, id % 100, id % 7, id % 13)
    }
    yield* run("COMMIT")
  })

const filters = ["colour = ?1", "price < ?2", "price > ?3", "stock > 0", "weight < 10", "id % 2 = 0", "id % 3 = 0"]
const orders = ["id", "price", "stock", "weight"]

/** The texts that there may be, the most common first. */
const texts: ReadonlyArray<string> = Array.from({ length: 2 ** filters.length * orders.length }, (_, n) => {
  const chosen = filters.filter((_, bit) => (n >> bit) % 2 === 1)
  // Values that no filter asks for are none the less given.
  const where = ["?1 <> ''", "?2 + ?3 > 0", ...chosen].join(" AND ")
  return `SELECT id FROM articles WHERE ${where} ORDER BY ${orders[n >> filters.length]} LIMIT 10`
})

/** Gives how many articles were found. */
export const search = Effect.gen(function*() {
  const text = texts[Math.floor(texts.length * (yield* Random.next) ** 6)]!
  const colour = colours[yield* Random.nextIntBetween(0, colours.length)]!
  return (yield* all(text, colour, 50, 10)).length
})
