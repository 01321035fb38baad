/**
 * The layers of each package: which room builds on which. A room is a folder of `src/internal`; `public` are the modules
 * that users import: `data` among them may be used everywhere, `service` are those whose tag, scope or form inner rooms need.
 */
export interface Place {
  readonly package: string
  readonly room: string
}

/** What each room may import beside itself and `data`, from the lowest up. */
const layers: Readonly<Record<string, Readonly<Record<string, ReadonlyArray<string>>>>> = {
  core: {
    effect3: [],
    kernel: ["effect3"],
    data: ["kernel"],
    cleanup: ["effect3", "kernel"],
    registry: ["effect3", "kernel", "cleanup"],
    scope: ["effect3", "kernel", "cleanup"],
    // A guard finds its registry by the service's tag, which is the public module's.
    guard: ["effect3", "kernel", "cleanup", "registry", "scope", "service"],
    runtime: ["effect3", "kernel", "scope"],
    service: ["effect3", "kernel", "cleanup", "registry", "scope", "guard", "public"],
    public: ["effect3", "kernel", "cleanup", "registry", "scope", "guard", "runtime", "service"]
  },
  pool: { state: [], internal: ["state"], public: ["state", "internal"] },
  cache: {
    policy: [],
    state: ["policy"],
    internal: ["state", "policy", "service"],
    service: ["policy"],
    public: ["state", "policy", "internal", "service"]
  }
}

const data =
  /^(CleanupError|CleanupPriority|CleanupReport|PatinoxError|RecoveryPolicy|Resource(Event|Id|Info)|\w+Error|\w+Event)$/

const service = /^(Resource(Registry|Scope)|CachePolicy)$/

const publicRoomOf = (module: string) => data.test(module) ? "data" : service.test(module) ? "service" : "public"

export const roomOf = (file: string): Place => {
  const [, name, inside] = /^packages\/([^/]+)\/src\/(.*)\.ts$/.exec(file) ?? []
  if (inside === undefined) return { package: "", room: "" }
  const [first, second, third] = inside.split("/")
  const room = first === "internal" ? third === undefined ? "internal" : second : publicRoomOf(first)
  return { package: name, room }
}

/** Types may come from a layer above: a resource's own record names the run that cleans it up. */
export const mayImport = (from: Place, to: Place, isTypeOnly: boolean): boolean =>
  isTypeOnly || from.room === to.room || to.room === "data" ||
  layers[from.package] === undefined || layers[from.package][from.room]?.includes(to.room) === true
