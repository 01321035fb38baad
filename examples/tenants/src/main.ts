/** `npx tsx --conditions=source examples/tenants/src/main.ts`: a hundred tenants, of whom most leave. */
import { ResourceRegistry } from "@patinox/core"
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import * as Service from "./Service.js"
import { Directory, get, layer, Tenants, UnknownTenant } from "./Tenants.js"

const say = (line: string) => Effect.sync(() => console.log(line))

const names = Array.from({ length: 100 }, (_, n) => `tenant-${n}`)

const story = (service: Service.Service) =>
  Effect.gen(function*() {
    const { stats } = yield* Tenants

    yield* say("a hundred tenants send ten requests each")
    const requests = names.flatMap((name) => Array.from({ length: 10 }, (_, n) => get(name, `/${n}`)))
    const answers = yield* Effect.all(requests, { concurrency: 50 })
    const { loads } = yield* stats
    yield* say(`  ${answers.filter(({ status }) => status === 200).length} answers by ${loads} clients`)

    yield* say("one does not exist")
    const unknown = yield* Effect.flip(get("tenant-x", "/"))
    yield* say(`  ${unknown._tag}: ${unknown.message}`)

    yield* say("one goes on, the others leave")
    const isAlone = Effect.map(service.open, (open) => open.size === 1)
    yield* Effect.raceFirst(
      service.until(isAlone),
      Effect.forever(get("tenant-0", "/"))
    )
    yield* say(`  connections of ${[...yield* service.open].join()} are open`)
  })

const program = Effect.gen(function*() {
  const service = yield* Service.start
  const directory = Layer.succeed(Directory, {
    find: (name) =>
      names.includes(name)
        ? Effect.succeed({ url: service.url, key: name })
        : Effect.fail(new UnknownTenant({ name }))
  })
  yield* story(service).pipe(
    Effect.provide(Layer.provide(layer({ timeToIdle: "500 millis" }), directory))
  )
  yield* service.until(Effect.map(service.open, (open) => open.size === 0))
  yield* say("all connections are closed")
})

NodeRuntime.runMain(program.pipe(Effect.scoped, Effect.provide(ResourceRegistry.layer)))
