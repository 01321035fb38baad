/** An item in the hands of a borrower: which one, since when, and what the pool does with it at its return. */
import type { ResourceId } from "@patinox/core"
import { type CallSite, type CurrentFiber, fiberNumber, type Midst, spanOf, UserFunction } from "@patinox/core/kernel"
import { Effect, Inspectable } from "effect"
import type { Item } from "./Item.js"

/** Who holds an item. */
export interface Holder {
  readonly id: ResourceId.ResourceId
  readonly fiberId: string
  readonly heldMillis: number
  readonly spanName?: string
  /** Where it was asked for, as far as `captureStacks` keeps that. */
  readonly stack?: string
}

// Bundled into one file with its user, this package has no frames of its own.
const [, ownFolder] = /\/\/(.*)\/internal\//.exec(import.meta.url) ?? []

/** The user's frames of a stack. */
const withoutOwn = (stack: string): string =>
  ownFolder === undefined ? stack : stack.split("\n").filter((frame) => !frame.includes(ownFolder)).join("\n")

/** What a lease uses of its pool. */
export interface LeaseOwner {
  readonly name: string
  readonly awaitDraining: Effect.Effect<void>
}

export class LeaseHandle<A> extends Inspectable.Class {
  isOver = false
  isInvalid = false
  /** Where it was asked for. */
  site: CallSite | undefined = undefined
  /** Neighbours in the order of borrowing, while it is watched. */
  older: LeaseHandle<A> | undefined = undefined
  newer: LeaseHandle<A> | undefined = undefined
  isSuspected = false
  isExpired = false
  /** It ends with a scope, not with what its borrower is doing. */
  isScoped = false
  /** The use that it is for. */
  inside: Midst | undefined = undefined
  /** It was taken from its holder. */
  onTaken: (() => void) | undefined = undefined
  private readonly span: ReturnType<typeof spanOf>

  constructor(
    private readonly owner: LeaseOwner,
    readonly item: Item<A>,
    readonly fiber: CurrentFiber,
    readonly since: number
  ) {
    super()
    this.span = spanOf(fiber)
  }

  get value(): A {
    return this.item.value
  }

  get id(): ResourceId.ResourceId {
    return this.item.id
  }

  get invalidate(): Effect.Effect<void> {
    return Effect.sync(() => {
      this.isInvalid = true
    })
  }

  get awaitDraining(): Effect.Effect<void> {
    return this.owner.awaitDraining
  }

  /** The fiber that holds it, and for how long. */
  holder(now: number): Holder {
    const { fiber, item, site, since, span } = this
    return {
      id: item.id,
      fiberId: `#${fiberNumber(fiber)}`,
      heldMillis: now - since,
      // A tracer is another's: its spans may throw where they are looked at.
      ...UserFunction.call(() => span?._tag === "Span" ? { spanName: `${span.name}` } : {}, () => ({})),
      ...(site?.stack === undefined ? undefined : { stack: withoutOwn(site.stack) })
    }
  }

  override toJSON() {
    return { _id: "PoolLease", pool: this.owner.name, id: this.item.id, isOver: this.isOver }
  }
}
