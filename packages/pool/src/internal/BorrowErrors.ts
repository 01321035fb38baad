/** Why a borrower gets no item, as an error that says what the pool was like at that moment. */
import { Option } from "effect"
import * as PoolError from "../PoolError.js"
import type { CreationFailures } from "./CreationFailures.js"
import type { ResolvedPool } from "./PoolOptions.js"
import type { ItemState } from "./RunningCheck.js"
import type { PoolStage, Refusal } from "./state/Vocabulary.js"

export class BorrowErrors<E> {
  constructor(
    private readonly options: ResolvedPool,
    private readonly state: ItemState<any>,
    private readonly failures: CreationFailures<E>
  ) {}

  counts(): PoolError.PoolCounts {
    const { creations, destroying, idle, inUse, total, waiting } = this.state
    return { total, idle: idle.length, inUse, creating: creations.running, destroying, waiting: waiting.size }
  }

  timeout(limitMillis: number, isValidated: boolean): PoolError.PoolTimeout<E> {
    return new PoolError.PoolTimeout<E>({
      pool: this.options.name,
      stage: isValidated ? "validating" : this.stage,
      limitMillis,
      counts: this.counts(),
      lastCreationFailure: Option.fromNullable(this.failures.last)
    })
  }

  /** What those that wait are waiting for. */
  private get stage(): PoolStage {
    const { checking, circuit, creations, waiting } = this.state
    if (checking >= waiting.size && checking > 0 && creations.active === 0) return "validating"
    return creations.running > 0 || circuit.failures > 0 ? "creating" : "waiting"
  }

  refusal(why: Refusal): PoolError.PoolError<E> {
    switch (why) {
      case "closed":
        return this.closed()
      case "exhausted":
        return this.exhausted(this.options.maxWaiters)
      case "creation":
        return this.creationFailed()
      default:
        return why satisfies never
    }
  }

  closed(): PoolError.PoolClosed {
    return new PoolError.PoolClosed({ pool: this.options.name })
  }

  /** `maxWaiters` is 0 for a borrower that does not wait. */
  exhausted(maxWaiters: number): PoolError.PoolExhausted {
    return new PoolError.PoolExhausted({ pool: this.options.name, counts: this.counts(), maxWaiters })
  }

  creationFailed(): PoolError.PoolCreationFailed<E> {
    return new PoolError.PoolCreationFailed<E>({
      pool: this.options.name,
      cause: this.failures.last!,
      failures: this.state.circuit.failures
    })
  }
}
