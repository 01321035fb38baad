/**
 * A page of a registry's snapshot for people behind a guard, field by field. What is not named here is not shown; what
 * may hold secrets is shown only where that was asked for. Pure.
 *
 * Pages are in the order of creation, then of ids. That order does not change while resources come and go, so a
 * resource that is there all the time is on exactly one page.
 */
import type { ResourceRegistry } from "@patinox/core"
import type { Schema } from "effect"
import type * as Schemas from "./Schemas.js"

type ResourcePage = Schema.Schema.Type<typeof Schemas.resourcePage>
type PageQuery = Schema.Schema.Type<typeof Schemas.pageQuery>
type Resource = ResourceRegistry.ResourceSnapshot

/** What else is shown. All off. */
export interface Shown {
  /** What the application said of its resources. */
  readonly metadata?: boolean
  /** Where they were acquired, if the registry captures that. */
  readonly stacks?: boolean
  /** What cleanups failed with. */
  readonly errors?: boolean
}

type Place = ResourceRegistry.SnapshotPlace

const compare = (a: Place, b: Place): number => a.createdAt - b.createdAt || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)

const cursorOf = ({ createdAt, id }: Place): string => `${createdAt}_${id}`

/** What to read for a page: one more than it shows, which says whether there is more. */
export const pageOptionsOf = ({ after, limit }: PageQuery): ResourceRegistry.SnapshotPageOptions => ({
  limit: limit + 1,
  ...(after === undefined ? undefined : { after: placeOf(after) })
})

const placeOf = (cursor: string): Place => {
  const [createdAt, id] = cursor.split("_")
  return { createdAt: Number(createdAt), id: id as Resource["id"] }
}

const resourceOf = (resource: Resource, shown: Shown): ResourcePage["resources"][number] => ({
  id: resource.id,
  typeName: resource.typeName,
  state: resource.state,
  priority: resource.priority,
  createdAt: resource.createdAt,
  ageMillis: resource.ageMillis,
  stateMillis: resource.stateMillis,
  holders: resource.holders.length,
  leakSuspected: resource.leakSuspected,
  dependencies: resource.dependencies,
  ...(resource.sizeBytes === undefined ? undefined : { sizeBytes: resource.sizeBytes }),
  ...(resource.owner.spanName === undefined ? undefined : { spanName: resource.owner.spanName }),
  ...(shown.metadata === true ? { metadata: resource.metadata } : undefined),
  ...(shown.stacks === true && resource.acquireStack !== undefined
    ? { acquireStack: resource.acquireStack }
    : undefined)
})

const deadLetterOf = (
  { acquireStack, failedAt, finishedLate, id, record, retryable, typeName }: ResourceRegistry.DeadLetter,
  shown: Shown
): ResourcePage["newestDeadLetters"][number] => ({
  id,
  typeName,
  outcome: record.outcome,
  attempts: record.attempts,
  failedAt,
  retryable,
  finishedLate,
  ...(shown.errors === true && record.error !== undefined ? { error: record.error.message } : undefined),
  ...(shown.stacks === true && acquireStack !== undefined ? { acquireStack } : undefined)
})

export const pageOf = (
  snapshot: ResourceRegistry.RegistrySnapshot,
  health: ResourceRegistry.RegistryHealth,
  { after, limit }: PageQuery,
  shown: Shown
): ResourcePage => {
  const from = after === undefined ? undefined : placeOf(after)
  const rest = (from === undefined ? [...snapshot.live] : snapshot.live.filter((one) => compare(one, from) > 0))
    .sort(compare)
  const resources = rest.slice(0, limit)
  return {
    at: snapshot.at,
    phase: snapshot.phase,
    status: health.status,
    accounts: snapshot.accounts,
    acquiring: snapshot.acquiring.length,
    abandonedRunning: snapshot.abandoned.length,
    droppedEvents: health.droppedEvents,
    sizeBytes: snapshot.sizeBytes,
    resources: resources.map((resource) => resourceOf(resource, shown)),
    ...(rest.length > limit ? { next: cursorOf(resources[limit - 1]!) } : undefined),
    deadLetters: snapshot.deadLetters.length,
    newestDeadLetters: [...snapshot.deadLetters]
      .sort((a, b) => b.failedAt - a.failedAt)
      .slice(0, limit)
      .map((letter) => deadLetterOf(letter, shown))
  }
}
