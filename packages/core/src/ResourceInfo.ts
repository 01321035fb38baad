/**
 * What is known of a live resource without touching it: plain data that holds neither its value nor its release, so it
 * can be logged, listed and sent elsewhere. Taken at acquire.
 */
import type { Schema } from "effect"
import type { CleanupPriority } from "./CleanupPriority.js"
import * as Schemas from "./internal/kernel/Schemas.js"
import type { ResourceId } from "./ResourceId.js"

/** Who acquired a resource: the fiber, and the span it was in if there was one. */
export interface Owner {
  readonly fiberId: string
  readonly spanId?: string
  readonly spanName?: string
}

/** The description of one resource. */
export interface ResourceInfo {
  readonly id: ResourceId
  /** The Tag's key, else the span at acquire, else the place of the call, unless named by hand. */
  readonly typeName: string
  /** When its acquire ended, in milliseconds since the epoch. */
  readonly createdAt: number
  readonly priority: CleanupPriority
  /** Absent where nobody said. */
  readonly sizeBytes?: number
  readonly metadata: Readonly<Record<string, string>>
  /** What must outlive it. */
  readonly dependencies: ReadonlyArray<ResourceId>
  readonly owner: Owner
  /** Where it was acquired; only where the registry captures stacks. */
  readonly acquireStack?: string
}

/** The JSON form: the same, with ids as text. */
export type Encoded = Schema.Schema.Encoded<typeof Schemas.resourceInfo>

/** `ResourceInfo` as JSON and back. */
export const schema: Schema.Schema<ResourceInfo, Encoded> = Schemas.resourceInfo
