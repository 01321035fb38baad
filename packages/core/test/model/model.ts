/**
 * The model: what must be true of guards, scopes and the registry's accounts, as far as commands, events and the resources
 * themselves tell. Plain data and synchronous steps; it never asks the registry what it thinks, but for whether a rival
 * really waits at the instant another starts.
 */
import { type Program, type TestResource } from "@patinox/vitest"
import { CleanupPriority, type CleanupReport, type ResourceEvent } from "../../src/index.js"
import * as Order from "./order.js"
import { possibleEnds, predict } from "./prediction.js"
import { type BatchModel, type GuardModel, type GuardState, hasEnded, type ScopeModel, Violation } from "./state.js"
import { rowOf, Table } from "./table.js"

type Ended = Extract<ResourceEvent.ResourceEvent, { readonly record: unknown }>

export class Model {
  readonly guards = new Map<string, GuardModel>()
  readonly scopes: Array<ScopeModel> = []
  readonly batches: Array<BatchModel> = []
  readonly table = new Table()
  draining = false
  /** What `Schedule` asks for, until its event. */
  askedBand: number | undefined = undefined
  private bounds = 0
  private sequences = 0
  private registrations = 0
  /** The oldest that a close of many has scheduled so far: the newest comes first. */
  private oldestOfBatch = Infinity

  constructor(
    readonly program: Program.Program,
    readonly now: () => number,
    /** The registry's word for where a guard stands this instant. */
    private readonly really: (guard: GuardModel) => string | undefined
  ) {}

  scope(parallel: boolean): ScopeModel {
    const name = `s${this.scopes.length}`
    const scope: ScopeModel = { name, parallel, phase: "open", closedAt: 0, members: [], mustEndBy: Infinity }
    this.scopes.push(scope)
    return scope
  }

  guard(
    resource: TestResource.TestResource,
    plan: Program.GuardPlan,
    target: ScopeModel,
    dependsOn: GuardModel | undefined
  ): GuardModel {
    const guard: GuardModel = {
      name: resource.name,
      plan,
      resource,
      target,
      dependsOn,
      state: "acquiring",
      scope: undefined,
      bound: 0,
      startedAt: 0,
      band: 0,
      sequence: 0,
      disturbed: false,
      held: false,
      borrowers: 0,
      registered: 0,
      registeredAt: 0,
      late: false,
      cleanups: 0
    }
    if (dependsOn !== undefined) {
      dependsOn.held = true
      dependsOn.disturbed = true
    }
    this.guards.set(guard.name, guard)
    // It may depend on what is being closed, which then waits for it.
    for (const scope of this.scopes) if (scope.phase === "closing") scope.mustEndBy += plan.timeoutMillis
    return guard
  }

  all(): ReadonlyArray<GuardModel> {
    return [...this.guards.values()]
  }

  // --- what commands do ------------------------------------------------------------------------------------------------

  bind(guard: GuardModel, scope: ScopeModel): void {
    guard.scope = scope.phase === "open" ? scope : undefined
    guard.late ||= scope.phase !== "open"
    guard.bound = ++this.bounds
  }

  closing(scope: ScopeModel): void {
    scope.phase = "closing"
    scope.members = this.all().filter((guard) => guard.scope === scope && !hasEnded(guard))
    scope.mustEndBy = this.now() +
      this.all().reduce(
        (sum, guard) => hasEnded(guard) || guard.state === "never" ? sum : sum + guard.plan.timeoutMillis,
        0
      )
  }

  closed(scope: ScopeModel): void {
    scope.phase = "closed"
    scope.closedAt = this.now()
    for (const guard of scope.members) {
      if (guard.scope !== scope || guard.plan.close === "background" || hasEnded(guard)) continue
      throw new Violation("P2", `${scope.name} has closed, but ${guard.name} is ${guard.state}`)
    }
  }

  batch(kind: BatchModel["kind"], guards: ReadonlyArray<GuardModel>): BatchModel {
    const batch: BatchModel = { kind, startedAt: this.now(), guards: new Set(guards) }
    this.oldestOfBatch = Infinity
    // What depends on one of them goes with it, by the same deadline.
    const taken = [...guards]
    for (const guard of taken) {
      guard.disturbed = true
      taken.push(...this.all().filter((other) => other.dependsOn === guard && !taken.includes(other)))
    }
    this.batches.push(batch)
    if (kind === "shutdown") this.draining = true
    return batch
  }

  // --- what events say -------------------------------------------------------------------------------------------------

  event(event: ResourceEvent.ResourceEvent): void {
    if (!("id" in event)) return
    const guard = this.guards.get(event.typeName)
    if (guard === undefined) throw new Violation("P6", `an event of ${event.typeName}, which nobody made`)
    switch (event._tag) {
      case "Registered":
        this.move(guard, event._tag, ["acquiring"], "inUse")
        guard.registered = ++this.registrations
        guard.registeredAt = this.now()
        this.bind(guard, guard.target)
        if (this.draining) this.batches.find(({ kind }) => kind === "shutdown")?.guards.add(guard)
        guard.disturbed ||= this.draining
        return
      case "Scheduled":
        this.move(guard, event._tag, ["inUse"], "waiting")
        guard.band = this.askedBand ?? CleanupPriority.toNumber(guard.plan.priority)
        guard.sequence = ++this.sequences
        return this.checkBatchOrder(guard, event.trigger)
      case "Unscheduled":
        return this.move(guard, event._tag, ["waiting"], "inUse")
      case "Disarmed":
        return this.move(guard, event._tag, ["inUse", "waiting"], "disarmed")
      case "Started":
        return this.started(guard, event)
      case "Retried":
      case "FellBack":
        if (guard.state !== "cleaning" && guard.state !== "retrying") {
          throw new Violation("P1", `${event._tag} of ${guard.name}, which is ${guard.state}`)
        }
        return
      case "Cleaned":
      case "Recovered":
      case "Failed":
      case "Abandoned":
        return this.end(guard, event)
      case "FinishedLate":
        if (!hasEnded(guard)) throw new Violation("P6", `${guard.name} finished late, but is ${guard.state}`)
    }
  }

  private move(guard: GuardModel, tag: string, from: ReadonlyArray<GuardState>, to: GuardState): void {
    if (!from.includes(guard.state)) throw new Violation("P1", `${tag} of ${guard.name}, which is ${guard.state}`)
    guard.state = to
  }

  private started(guard: GuardModel, event: Extract<ResourceEvent.ResourceEvent, { readonly _tag: "Started" }>): void {
    const { forced, trigger } = event
    if (trigger === "leaked") throw new Violation("P6", `${guard.name} was cleaned up as leaked`)
    this.table.met(rowOf(guard.plan.fault), forced ? "deadline" : trigger)
    const wasWaiting = guard.state === "waiting"
    if (trigger === "retried") {
      this.move(guard, "Started again", ["failed"], "retrying")
      guard.band = CleanupPriority.toNumber(guard.plan.priority)
      guard.disturbed = true
    } else {
      this.move(guard, "Started", ["inUse", "waiting"], "cleaning")
    }
    guard.startedAt = this.now()
    if (trigger !== "retried") Order.checkMargin(guard, this.batches, this.now(), this.program)
    // Registered too late for its registry, or for what it depends on: its scope never gets it.
    if (trigger === "acquire") guard.scope = undefined
    if (forced) return void (guard.disturbed = true)
    // A dead letter whose release was forced past its dependents is past them.
    if (trigger !== "retried") Order.checkDependents(guard, this.guards.values())
    if (guard.borrowers > 0) throw new Violation("P4", `${guard.name} starts while ${guard.borrowers} borrow it`)
    if (trigger === "scope" && guard.plan.close === "background" && !guard.late) {
      throw new Violation("P2", `a close waits for ${guard.name}, which was to be closed in the background`)
    }
    if (trigger === "scope") Order.checkScopeOrder(guard)
    const isQueued = ["scheduled", "background", "forced", "shutdown"].includes(trigger) && wasWaiting
    if ((isQueued || trigger === "retried") && !guard.held) {
      Order.checkQueueOrder(guard, this.guards.values(), trigger === "retried", this.really)
    }
  }

  private checkBatchOrder(guard: GuardModel, trigger: CleanupReport.Trigger): void {
    const batch = this.batches[this.batches.length - 1]
    if ((trigger !== "forced" && trigger !== "shutdown") || batch?.guards.has(guard) !== true) return
    // What came while the registry was draining is scheduled when its cleanup has not been cared for otherwise.
    if (batch.startedAt !== this.now()) return
    if (guard.registered > this.oldestOfBatch) {
      throw new Violation("P4", `${guard.name} is scheduled after one that is older, in a ${trigger} cleanup`)
    }
    this.oldestOfBatch = guard.registered
  }

  private end(guard: GuardModel, event: Ended & { readonly typeName: string }): void {
    const { record } = event
    const isRetry = guard.state === "retrying"
    if (isRetry && event._tag !== "Recovered") {
      throw new Violation("P6", `a second end of ${guard.name}: ${event._tag}`)
    }
    const expected = { Cleaned: "cleaned", Recovered: "recovered", Failed: "failed", Abandoned: "abandoned" } as const
    this.move(guard, event._tag, [isRetry ? "retrying" : "cleaning"], expected[event._tag as keyof typeof expected])
    // The record of a retry says how that went by itself.
    if (!isRetry && record.outcome !== expected[event._tag as keyof typeof expected]) {
      throw new Violation("P6", `${event._tag} of ${guard.name} has a record that says ${record.outcome}`)
    }
    this.checkGroundTruth(guard, event._tag, record)
    if (this.now() - guard.startedAt > guard.plan.timeoutMillis) {
      throw new Violation("P3", `${guard.name} took ${this.now() - guard.startedAt} ms of ${guard.plan.timeoutMillis}`)
    }
    if (!isRetry) this.checkPrediction(guard, record)
  }

  /** What the resource itself has seen. */
  private checkGroundTruth(guard: GuardModel, tag: string, record: CleanupReport.CleanupRecord): void {
    const { plan, resource } = guard
    const released = resource.released()
    const isTrue = tag === "Cleaned"
      ? released === 1 && resource.attempts() === 1
      : tag === "Recovered"
      ? released === 1 || record.usedFallback
      : tag === "Failed"
      ? released === 0 && resource.running() === 0
      : resource.running() === 1
    if (!isTrue) {
      throw new Violation(
        "P1",
        `${tag} of ${guard.name}, which was attempted ${resource.attempts()} times, released ${released} times and ` +
          `has ${resource.running()} running`
      )
    }
    if (guard.state !== "recovered" && resource.attempts() !== record.attempts && !guard.disturbed) {
      throw new Violation("P6", `${guard.name} was attempted ${resource.attempts()} times, not ${record.attempts}`)
    }
    if (!possibleEnds(plan).includes(tag)) {
      throw new Violation("P1", `${tag} of ${guard.name}, whose plan allows only ${possibleEnds(plan).join(", ")}`)
    }
  }

  private checkPrediction(guard: GuardModel, record: CleanupReport.CleanupRecord): void {
    const predicted = guard.disturbed ? undefined : predict(guard.plan)
    if (predicted === undefined) return
    const { attempts, outcome, runMillis } = record
    // Timers count whole milliseconds.
    const isOnTime = Math.abs(runMillis - predicted.runMillis) < 1
    if (outcome === predicted.outcome && attempts === predicted.attempts && isOnTime) return
    throw new Violation(
      "P3",
      `${guard.name} is ${outcome} after ${attempts} attempts and ${runMillis} ms, not ` +
        `${predicted.outcome} after ${predicted.attempts} and ${predicted.runMillis} ms`
    )
  }
}
