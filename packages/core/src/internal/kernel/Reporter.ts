/**
 * Reports what happens in something that has a name, a pool or a cache: as events to who listens, and as lines in the log,
 * with its name and the ids of what they are about. Reporting never throws and waits for nobody.
 */
import { type Clock, Effect } from "effect"
import * as Clocks from "../effect3/Clocks.js"
import type { EventHub } from "./EventHub.js"
import { call } from "./UserFunction.js"

/** What all events carry beside their own. */
interface Stamped {
  readonly _tag: string
  readonly at: number
}

/** An event of a union without what `Key`, the name of who reports, and the clock add to it. */
export type Unstamped<Event, Key extends string> = Event extends Stamped ? Omit<Event, "at" | Key> : never

export interface ReporterOptions<Event extends Stamped, Key extends string> {
  /** What it is, and so under which key its events and lines have its name. */
  readonly key: Key
  readonly name: string
  readonly clock: Clock.Clock
  /** Runs the writing of a line where the log settings of its owner hold. */
  readonly fork: (line: Effect.Effect<void>) => void
  /** Each gets every event. */
  readonly hubs: ReadonlyArray<EventHub<Event>>
}

export class Reporter<Event extends Stamped, Key extends string> {
  constructor(private readonly options: ReporterOptions<Event, Key>) {}

  /** The event is made only where somebody listens. */
  emit(make: () => Unstamped<Event, Key>): void {
    const { clock, hubs, key, name } = this.options
    if (!hubs.some((hub) => hub.hasSubscribers)) return
    const event = call(
      () => ({ ...make(), at: Clocks.wallMillis(clock), [key]: name }) as unknown as Event | undefined,
      () => undefined
    )
    if (event !== undefined) { for (const hub of hubs) hub.emit(() => event) }
  }

  /** What somebody should look at; with the id of the resource that it is about. */
  warn(message: string, id?: string): void {
    this.log(Effect.logWarning(message), id)
  }

  inform(message: string, id?: string): void {
    this.log(Effect.logInfo(message), id)
  }

  private log(line: Effect.Effect<void>, id: string | undefined): void {
    const { fork, key, name } = this.options
    fork(Effect.annotateLogs(line, {
      [`patinox.${key}`]: name,
      ...(id === undefined ? undefined : { "patinox.resource.id": id })
    }))
  }
}
