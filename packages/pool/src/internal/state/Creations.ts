/**
 * The creations that run: how many there are, which of them an item may still come of in time, and whether another may
 * be started beside them. Pure data: instants and randomness are given.
 */
import { CircuitBreaker } from "./CircuitBreaker.js"
import type { PoolLimits } from "./PoolPorts.js"

/** How many are started at once after one has failed. */
const fewCreated = 2

export class Creations {
  running = 0
  /** Of those running: for unusually long, and not stuck. */
  slow = 0
  /** Of those running: past their time limit or not wanted any more, and not ended yet. */
  stuck = 0
  readonly circuit: CircuitBreaker

  constructor(private readonly limits: PoolLimits) {
    this.circuit = new CircuitBreaker(limits)
  }

  /** Those of which an item may still come in time. */
  get active(): number {
    return this.running - this.stuck
  }

  /** As many run at once as may. Slow ones do not count, and after a failure only few may. */
  get isFull(): boolean {
    const { createConcurrency } = this.limits
    const most = this.circuit.failures === 0 ? createConcurrency : Math.min(fewCreated, createConcurrency)
    return this.active - this.slow >= most
  }

  /** Whether the circuit allows another one now. */
  allows(now: number): boolean {
    return this.circuit.allows(now, this.active)
  }

  start(): void {
    this.running++
  }

  /** One has ended with an item; `stuck` if that came after its time limit. */
  succeeded(isStuck: boolean): void {
    this.running--
    if (isStuck) this.stuck--
  }

  becameSlow(): void {
    this.slow++
  }

  /** A slow one has ended or is stuck; comes before the call that says which. */
  slowEnded(): void {
    this.slow--
  }

  failed(now: number, random: number): void {
    this.running--
    this.circuit.failed(now, random)
  }

  /** One has failed or takes too long; it counts until nothing of it is left. */
  becameStuck(now: number, random: number): void {
    this.stuck++
    this.circuit.failed(now, random)
  }

  /** One is cancelled because no borrower waits for it; it counts until nothing of it is left. */
  becameUnwanted(): void {
    this.stuck++
  }

  /** A stuck one has ended and left nothing behind. */
  stuckEnded(): void {
    this.running--
    this.stuck--
  }
}
