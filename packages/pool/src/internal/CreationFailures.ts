/** The failed creations in a row: with what the last failed, and what is reported of them and of the circuit. */
import { Cause } from "effect"
import * as PoolError from "../PoolError.js"
import type { PoolContext } from "./PoolContext.js"
import type { CircuitBreaker } from "./state/CircuitBreaker.js"

export class CreationFailures<E> {
  /** With what the last creation failed; `undefined` where it succeeded. */
  last: Cause.Cause<PoolError.CreationError<E>> | undefined = undefined
  /** Since when nothing could be created. */
  private openSince: number | undefined = undefined

  constructor(private readonly context: PoolContext, private readonly circuit: CircuitBreaker) {}

  /** With what the creation of an item failed that is no good. */
  unfit(cause: Cause.Cause<unknown>): Cause.Cause<PoolError.CreationError<E>> {
    return Cause.fail(new PoolError.PoolItemUnfit({ pool: this.context.options.name, cause }))
  }

  /** Reports a failure that the circuit has counted. */
  reportFailed(cause: Cause.Cause<PoolError.CreationError<E>>): void {
    const { circuit, context: { metrics, reporter, timers } } = this
    metrics.creationFailed()
    if (circuit.isOpen) this.openSince ??= timers.now()
    metrics.circuit(circuit.isOpen)
    reporter.creationFailed(cause, circuit)
  }

  /** An item was created after `failures` in a row: reports where that has closed the circuit. */
  reportSucceeded(failures: number): void {
    const { circuit, context: { metrics, reporter, timers }, openSince } = this
    if (openSince === undefined || circuit.isOpen) return
    this.openSince = undefined
    metrics.circuit(false)
    reporter.circuitClosed(failures, timers.now() - openSince)
  }
}
