/** A cache of profiles, each with an open file of its own, which its release removes. */
import { ResourceCache } from "@patinox/cache"
import { Config, Context, Effect } from "effect"
import { type FileHandle, open, rm } from "node:fs/promises"
import { join } from "node:path"
import { Faults } from "./Faults.js"

interface Profile {
  readonly id: number
  readonly path: string
  readonly file: FileHandle
  isOpen: boolean
}

export class Profiles
  extends Context.Tag("chaos/Profiles")<Profiles, ResourceCache.ResourceCache<number, Profile, unknown>>()
{}

let files = 0

const lookup = (id: number) =>
  Effect.gen(function*() {
    const { untellable } = yield* Faults
    const folder = yield* Effect.orDie(Config.string("FILES"))
    yield* untellable(0.1)
    const path = join(folder, `${id}-${++files}`)
    return yield* Effect.uninterruptible(Effect.promise(async (): Promise<Profile> => {
      const file = await open(path, "wx+")
      await file.write(`profile ${id}`)
      return { id, path, file, isOpen: true }
    }))
  })

const release = (profile: Profile) =>
  Effect.gen(function*() {
    const { untellable } = yield* Faults
    yield* Effect.promise(async () => {
      profile.isOpen = false
      await profile.file.close().catch(() => {})
      await rm(profile.path, { force: true })
    })
    // Nothing is left, whatever this says.
    yield* untellable(0.05)
  })

export const layer = ResourceCache.layer(Profiles, lookup, {
  name: "profiles",
  maxEntries: 16,
  timeToLive: "200 millis",
  release
})

/** What the file says, and whether it was open for as long as it was used. */
export const read = (id: number) =>
  Effect.flatMap(Profiles, (cache) =>
    cache.use(id, (profile) =>
      Effect.promise(async () => {
        const wasOpen = profile.isOpen
        const buffer = Buffer.alloc(64)
        const { bytesRead } = await profile.file.read(buffer, 0, 64, 0)
        return { text: buffer.toString("utf8", 0, bytesRead), wasOpen: wasOpen && profile.isOpen }
      })))
