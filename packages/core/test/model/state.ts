/** What the model keeps of guards, scopes and closes of many: plain data. */
import type { Program, TestResource } from "@patinox/vitest"
import type { CleanupReport } from "../../src/index.js"

export class Violation extends Error {
  constructor(readonly promise: "P1" | "P2" | "P3" | "P4" | "P5" | "P6" | "P7" | "P9", message: string) {
    super(`${promise}: ${message}`)
  }
}

export type GuardState =
  | "acquiring"
  | "never"
  | "inUse"
  | "waiting"
  | "cleaning"
  | "retrying"
  | CleanupReport.Outcome

export interface ScopeModel {
  readonly name: string
  readonly parallel: boolean
  phase: "open" | "closing" | "closed"
  closedAt: number
  /** Bound to it when it began to close. */
  members: ReadonlyArray<GuardModel>
  /** By when its close must be over: all the time limits of what was live, one after the other. */
  mustEndBy: number
}

export interface GuardModel {
  readonly name: string
  readonly plan: Program.GuardPlan
  readonly resource: TestResource.TestResource
  readonly target: ScopeModel
  readonly dependsOn: GuardModel | undefined
  state: GuardState
  scope: ScopeModel | undefined
  /** The order in which guards came into their scopes. */
  bound: number
  startedAt: number
  band: number
  sequence: number
  /** Something else than its plan decides how its cleanup goes. */
  disturbed: boolean
  /** Had borrowers or dependents, so that its cleanup may be taken from the queue and start later. */
  held: boolean
  /** Borrowing it now. */
  borrowers: number
  /** The order in which guards were registered, and when. */
  registered: number
  registeredAt: number
  /** Given to a scope that was closed already: it is to be cleaned up at once. */
  late: boolean
  cleanups: number
}

export interface BatchModel {
  readonly kind: "forced" | "shutdown"
  readonly startedAt: number
  readonly guards: Set<GuardModel>
}

const ended: ReadonlyArray<GuardState> = ["cleaned", "recovered", "failed", "abandoned", "disarmed", "retrying"]
export const hasEnded = ({ state }: GuardModel): boolean => ended.includes(state)
export const isLive = ({ state }: GuardModel): boolean =>
  state === "inUse" || state === "waiting" || state === "cleaning"

/** How long before its deadline a close of many starts whatever has not started. */
export const forceMargin = (timeout: number): number => Math.min(5_000, timeout * 0.2)
