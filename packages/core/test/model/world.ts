/** The real guards, scopes and registry that a program runs on, and the fibers that its commands started. */
import type { Program, TestResource } from "@patinox/vitest"
import { Cause, Deferred, Effect, ExecutionStrategy, Exit, Fiber, Option, Scope } from "effect"
import type { ResourceGuard, ResourceRegistry } from "../../src/index.js"
import type { Model } from "./model.js"
import { type GuardModel, type ScopeModel, Violation } from "./state.js"

export interface Made {
  readonly model: GuardModel
  readonly guard: ResourceGuard.ResourceGuard<TestResource.TestResource, unknown>
}

export interface OpenedScope {
  readonly model: ScopeModel
  readonly scope: Scope.Scope
  readonly gate: Deferred.Deferred<void, "mine">
  readonly owner: Running
  exit: "success" | "failure" | "interruption" | undefined
}

/** A fiber that a command started, and how it may end. */
export interface Running {
  readonly label: string
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
  readonly startedAt: number
  /** By when it must be over; the end of a scope's close is known to the model alone. */
  readonly mustEndBy: () => number
  /** The tags of errors that it may fail with. */
  readonly mayFailWith: ReadonlyArray<string>
  /** Whether its exit is the program's own affair. */
  readonly isOwner: boolean
  readonly onEnd: (exit: Exit.Exit<unknown, unknown>) => void
  interrupted: boolean
  done: boolean
}

type StartOptions = Partial<Pick<Running, "mustEndBy" | "mayFailWith" | "isOwner" | "onEnd">>

const isTagged = (error: unknown): error is { readonly _tag: string } =>
  typeof error === "object" && error !== null && "_tag" in error

export class World {
  readonly made: Array<Made> = []
  readonly scopes: Array<OpenedScope> = []
  readonly borrows: Array<Deferred.Deferred<void>> = []
  readonly scheduled: Array<ResourceRegistry.ScheduledCleanup> = []
  readonly resources: Array<TestResource.TestResource> = []
  readonly running: Array<Running> = []
  /** What the monitor met; a monitor cannot fail. */
  violation: Violation | undefined = undefined

  constructor(
    readonly program: Program.Program,
    readonly registry: ResourceRegistry.Shape,
    readonly model: Model,
    /** How many sleep by the clock of this program, and how to move it. */
    readonly time: {
      readonly sleepers: () => number
      readonly advance: (millis: number) => Effect.Effect<void>
    }
  ) {}

  start(label: string, effect: Effect.Effect<unknown, unknown>, options: StartOptions = {}): Effect.Effect<Running> {
    return Effect.map(Effect.forkDaemon(Effect.interruptible(effect)), (fiber) => {
      const running: Running = {
        label,
        fiber,
        startedAt: this.model.now(),
        mustEndBy: () => Infinity,
        mayFailWith: [],
        isOwner: false,
        onEnd: () => {},
        interrupted: false,
        done: false,
        ...options
      }
      this.running.push(running)
      return running
    })
  }

  openScope(parallel: boolean): Effect.Effect<void> {
    const { model, scopes } = this
    const scopeModel = model.scope(parallel)
    const own = (gate: Deferred.Deferred<void, "mine">, published: Deferred.Deferred<Scope.Scope>) =>
      Effect.acquireUseRelease(
        Scope.make(parallel ? ExecutionStrategy.parallel : ExecutionStrategy.sequential),
        (scope) => Effect.andThen(Deferred.succeed(published, scope), Deferred.await(gate)),
        (scope, exit) => Effect.andThen(Effect.sync(() => model.closing(scopeModel)), Scope.close(scope, exit))
      )
    return Effect.gen(this, function*() {
      const gate = yield* Deferred.make<void, "mine">()
      const published = yield* Deferred.make<Scope.Scope>()
      const owner = yield* this.start(`the owner of ${scopeModel.name}`, own(gate, published), {
        isOwner: true,
        mustEndBy: () => scopeModel.mustEndBy,
        onEnd: (exit) => {
          this.checkOwner(opened, exit)
          model.closed(scopeModel)
        }
      })
      const scope = yield* Deferred.await(published)
      const opened: OpenedScope = { model: scopeModel, scope, gate, owner, exit: undefined }
      scopes.push(opened)
    })
  }

  /** P5: whatever the cleanups did, the program ends as it meant to. */
  private checkOwner({ exit: meant, model, owner }: OpenedScope, exit: Exit.Exit<unknown, unknown>): void {
    const isMeant = meant === "success"
      ? Exit.isSuccess(exit)
      : Exit.isFailure(exit) && (meant === "failure"
        ? Option.getOrUndefined(Cause.failureOption(exit.cause)) === "mine"
        : Cause.isInterruptedOnly(exit.cause))
    const isInterrupted = owner.interrupted && Exit.isFailure(exit) && Cause.isInterrupted(exit.cause)
    const hasDefect = Exit.isFailure(exit) && Option.isSome(Cause.dieOption(exit.cause))
    if ((!isMeant && !isInterrupted) || hasDefect) {
      throw new Violation("P5", `the program of ${model.name} meant ${meant}, and ended with ${String(exit)}`)
    }
  }

  /** Takes note of the fibers that have ended. */
  collect(): Effect.Effect<void> {
    return Effect.forEach(
      this.running,
      (running) =>
        running.done ? Effect.void : Effect.map(Fiber.poll(running.fiber), (exit) => {
          if (Option.isNone(exit)) return
          running.done = true
          this.checkExit(running, exit.value)
          running.onEnd(exit.value)
        }),
      { discard: true }
    )
  }

  /** P5: failures are typed, of the kinds that the operation says, and nothing dies. */
  private checkExit({ interrupted, isOwner, label, mayFailWith }: Running, exit: Exit.Exit<unknown, unknown>): void {
    if (isOwner || Exit.isSuccess(exit) || (interrupted && Cause.isInterrupted(exit.cause))) return
    const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
    if (!isTagged(error) || !mayFailWith.includes(error._tag)) {
      throw new Violation("P5", `${label} ended with ${Cause.pretty(exit.cause)}`)
    }
  }

  interrupt(running: Running): Effect.Effect<void> {
    running.interrupted = true
    return Fiber.interruptFork(running.fiber)
  }

  live(): ReadonlyArray<GuardModel> {
    return this.model.all().filter(({ state }) => state === "inUse" || state === "waiting" || state === "cleaning")
  }
}
