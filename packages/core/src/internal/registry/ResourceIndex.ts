/**
 * Every live resource by its id and by the Tag of its service, and what depends on it. A resource that depends on another is
 * linked before it is acquired, and holds that other until it is registered.
 */
import type { ResourceId } from "../../ResourceId.js"
import type { CleanupTarget } from "../cleanup/CleanupTarget.js"
import * as Scopes from "../effect3/Scopes.js"

const none: ReadonlyArray<CleanupTarget> = []

export class ResourceIndex {
  /** In the order they were registered. */
  readonly entries = new Map<ResourceId, CleanupTarget>()
  readonly byTag = new Map<string, Set<CleanupTarget>>()

  add(entry: CleanupTarget): void {
    this.entries.set(entry.id, entry)
    if (entry.tagKey === undefined) return
    const tagged = this.byTag.get(entry.tagKey)
    if (tagged === undefined) this.byTag.set(entry.tagKey, new Set([entry]))
    else tagged.add(entry)
  }

  /** Nothing is kept of a resource that is gone, here or by its scope. */
  remove(entry: CleanupTarget): void {
    this.entries.delete(entry.id)
    unlink(entry)
    entry.dependents = undefined
    if (entry.scope !== undefined) {
      Scopes.dropFinalizer(entry.scope, entry)
      entry.scope = undefined
    }
    if (entry.tagKey === undefined) return
    const tagged = this.byTag.get(entry.tagKey)
    tagged?.delete(entry)
    if (tagged?.size === 0) this.byTag.delete(entry.tagKey)
  }
}

/** What it depends on stays for as long as its acquire takes. */
export const link = (entry: CleanupTarget): void => {
  for (const dependency of entry.dependencies ?? none) {
    ;(dependency.dependents ??= new Set()).add(entry)
    dependency.hold(entry)
  }
}

/** What it depends on may go. */
export const endReservation = (entry: CleanupTarget): void => {
  for (const dependency of entry.dependencies ?? none) dependency.endHold(entry)
}

export const unlink = (entry: CleanupTarget): void => {
  for (const dependency of entry.dependencies ?? none) {
    dependency.dependents?.delete(entry)
    if (dependency.dependents?.size === 0) dependency.dependents = undefined
  }
}
