/** `npx tsx --conditions=source examples/typed-pipeline/src/main.ts`: a full disk, and a server that asks for a pause. */
import { ResourceRegistry } from "@patinox/core"
import { Effect } from "effect"
import { rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { make } from "./orders.js"

const answers = [200, 503, 200, 429]
const server = createServer((_, response) => response.writeHead(answers.shift() ?? 500, { "retry-after": "2" }).end())
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))

const spare = join(tmpdir(), `typed-pipeline-${process.pid}`)
const { port } = server.address() as AddressInfo
const program = Effect.gen(function*() {
  const book = yield* make({ journal: "/dev/full", spare, endpoint: `http://127.0.0.1:${port}/orders` })
  for (const order of ["first", "second", "third", "fourth"]) {
    const told = yield* Effect.match(book([order]), {
      onFailure: (error) => `${error._tag}: ${error.message}`,
      onSuccess: (booked) => `${booked} booked`
    })
    console.log(`${order}: ${told} (${answers.length} answers left)`)
  }
})
await Effect.runPromise(Effect.provide(program, ResourceRegistry.layer))
server.close()
await rm(spare)
