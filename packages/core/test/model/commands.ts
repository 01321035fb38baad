/** What each command does to the real things, and what the model is told of it. */
import { type Program, RecoveryPlan, TestResource } from "@patinox/vitest"
import { Cause, Deferred, Effect, Exit, Option, Scope } from "effect"
import { CleanupPriority, ResourceGuard, type ResourceRegistry } from "../../src/index.js"
import { type GuardModel, hasEnded, Violation } from "./state.js"
import { type Made, type OpenedScope, type World } from "./world.js"

const pick = <A>(things: ReadonlyArray<A>, choice: number): A | undefined =>
  things.length === 0 ? undefined : things[choice % things.length]

const withOne = <A, R>(
  things: ReadonlyArray<A>,
  choice: number,
  f: (thing: A) => Effect.Effect<unknown, never, R>
): Effect.Effect<void, never, R> => {
  const thing = pick(things, choice)
  return thing === undefined ? Effect.void : Effect.asVoid(f(thing))
}

/** Mostly one that can be cleaned up, and now and then one that has ended. */
const pickGuard = (world: World, choice: number): ReadonlyArray<Made> => {
  const usable = world.made.filter(({ model }) => model.state === "inUse" || model.state === "waiting")
  return choice % 5 === 0 || usable.length === 0 ? world.made : usable
}

const cleanupErrors = ["CleanupTimeout", "CleanupFailed", "AlreadyCleanedUp"]
const slack = 1

type Env = ResourceRegistry.ResourceRegistry

const isUsable = ({ guard }: Made) => Effect.map(guard.state, (state) => state === "inUse" || state === "waiting")

const makeGuard = (world: World, choice: number, plan: Program.GuardPlan): Effect.Effect<void, never, Env> =>
  withOne(world.scopes, choice, (opened) =>
    Effect.gen(function*() {
      const { model } = world
      const resource = yield* TestResource.make(`g${world.resources.length}`, { fault: plan.fault })
      world.resources.push(resource)
      const dependency = plan.dependsOn === undefined
        ? undefined
        : pick(pickGuard(world, plan.dependsOn), plan.dependsOn)
      const guardModel = model.guard(resource, plan, opened.model, dependency?.model)
      const acquire = plan.acquireMillis === 0
        ? resource.acquire
        : Effect.andThen(Effect.sleep(plan.acquireMillis), resource.acquire)
      const make = (plan.acquireInterruptible ? ResourceGuard.makeInterruptible : ResourceGuard.make)(
        acquire,
        resource.release,
        {
          typeName: resource.name,
          priority: plan.priority,
          timeout: plan.timeoutMillis,
          attemptTimeout: plan.attemptTimeoutMillis,
          interruptible: plan.interruptible,
          close: plan.close,
          dependsOn: dependency === undefined ? [] : [dependency.guard],
          ...(plan.recovery === undefined ? undefined : { recovery: RecoveryPlan.toPolicy(plan.recovery) })
        }
      )
      const registry = yield* Effect.context<Env>()
      const acquired = Effect.provide(Scope.extend(make, opened.scope), registry)
      const recorded = (effect: typeof acquired) =>
        Effect.map(effect, (guard) => void world.made.push({ model: guardModel, guard }))
      yield* world.start(
        `the acquire of ${resource.name}`,
        plan.acquireInterruptible
          ? Effect.uninterruptibleMask((restore) => recorded(restore(acquired)))
          : Effect.uninterruptible(recorded(acquired)),
        {
          mayFailWith: ["AcquireFault", "RegistryShuttingDown", "UnknownDependency"],
          onEnd: (exit) => acquireEnded(world, guardModel, opened, exit)
        }
      )
    }))

const acquireEnded = (
  { model }: World,
  guard: GuardModel,
  opened: OpenedScope,
  exit: Exit.Exit<unknown, unknown>
): void => {
  const { plan, resource } = guard
  if (guard.state === "acquiring") {
    guard.state = "never"
    if (resource.acquired() > 0) throw new Violation("P6", `${guard.name} was acquired, and never registered`)
  }
  const isSlow = plan.acquireMillis > 0 || plan.fault._tag === "AcquireSlowly"
  const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
  const tag = (error as { readonly _tag?: string } | undefined)?._tag
  const row = plan.fault._tag === "AcquireFails" ? "acquire fails" : isSlow ? "slow acquire" : undefined
  if (row === undefined) return
  const wasInterrupted = Exit.isFailure(exit) && guard.state === "never" && tag === undefined
  model.table.met(
    row,
    wasInterrupted
      ? "interrupted"
      : tag === "UnknownDependency"
      ? "dependency gone"
      : model.draining
      ? "draining"
      : opened.model.phase === "open"
      ? "scope open"
      : "scope closed"
  )
}

const cleanUp = (world: World, { guard, model }: Made, callers: number) =>
  Effect.forEach(Array.from({ length: callers }), () =>
    world.start(`a cleanup of ${model.name}`, guard.cleanup, {
      mayFailWith: cleanupErrors,
      onEnd: (exit) => {
        const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
        if ((error as { readonly _tag?: string } | undefined)?._tag === "AlreadyCleanedUp") {
          if (hasEnded(model)) return
          throw new Violation("P1", `a later caller did not wait: ${model.name} is ${model.state}`)
        }
        if (Exit.isFailure(exit) && error === undefined) return
        model.cleanups++
        if (model.cleanups > 1) throw new Violation("P1", `two callers cleaned up ${model.name}`)
        const isDone = model.state === "cleaned" || model.state === "recovered"
        if (Exit.isSuccess(exit) && !isDone) {
          throw new Violation("P1", `a caller was told that ${model.name} is cleaned up, but it is ${model.state}`)
        }
      }
    }), { discard: true })

const batch = (
  world: World,
  kind: "forced" | "shutdown",
  guards: ReadonlyArray<GuardModel>,
  effect: Effect.Effect<unknown>
) =>
  Effect.suspend(() => {
    const { model, program } = world
    const known = kind === "shutdown" ? model.batches.find((batch) => batch.kind === "shutdown") : undefined
    const { startedAt } = known ?? model.batch(kind, guards)
    return world.start(`a ${kind} of many`, effect, {
      mustEndBy: () => startedAt + program.shutdownTimeoutMillis + slack
    })
  })

const schedule = (world: World, { guard, model }: Made, priority: CleanupPriority.CleanupPriority | undefined) =>
  Effect.gen(function*() {
    world.model.askedBand = priority === undefined ? undefined : CleanupPriority.toNumber(priority)
    const scheduled = yield* Effect.exit(
      world.registry.schedule({ resource: guard, ...(priority === undefined ? undefined : { priority }) })
    )
    world.model.askedBand = undefined
    if (Exit.isFailure(scheduled)) return
    world.scheduled.push(scheduled.value)
    yield* world.start(`who waits for ${model.name}`, scheduled.value.await, { mayFailWith: cleanupErrors })
  })

const transfer = (world: World, made: Made, { model: target, scope }: OpenedScope) =>
  Effect.gen(function*() {
    if (yield* isUsable(made)) world.model.bind(made.model, target)
    yield* world.start(`a transfer of ${made.model.name}`, made.guard.transferTo(scope), {
      mayFailWith: ["AlreadyCleanedUp"]
    })
  })

const borrow = (world: World, made: Made) =>
  Effect.gen(function*() {
    const gate = yield* Deferred.make<void>()
    world.borrows.push(gate)
    if (yield* isUsable(made)) {
      made.model.held = true
      made.model.disturbed = true
    }
    const use = made.guard.use(() =>
      Effect.acquireUseRelease(
        Effect.sync(() => made.model.borrowers++),
        () => Deferred.await(gate),
        () => Effect.sync(() => made.model.borrowers--)
      )
    )
    yield* world.start(`a borrower of ${made.model.name}`, use, {
      mayFailWith: ["AlreadyCleanedUp"]
    })
  })

const closeScope = (world: World, choice: number, exit: "success" | "failure" | "interruption") =>
  withOne(world.scopes.filter((opened) => opened.exit === undefined), choice, (opened) => {
    opened.exit = exit
    switch (exit) {
      case "success":
        return Deferred.succeed(opened.gate, undefined)
      case "failure":
        return Deferred.fail(opened.gate, "mine")
      case "interruption":
        return world.interrupt(opened.owner)
    }
  })

export const closeAllScopes = (world: World): Effect.Effect<void> =>
  Effect.forEach(world.scopes.filter((opened) => opened.exit === undefined), () => closeScope(world, 0, "success"), {
    discard: true
  })

const retry = (world: World, choice: number) =>
  Effect.flatMap(
    world.registry.deadLetters.list,
    (letters) =>
      withOne(letters, choice, ({ id, typeName }) =>
        world.start(`a retry of ${typeName}`, world.registry.deadLetters.retry(id), {
          mayFailWith: [...cleanupErrors, "DeadLetterUnavailable", "RegistryShuttingDown"]
        }))
  )

export const run = (world: World, command: Program.Command): Effect.Effect<void, never, Env> => {
  const { made, registry } = world
  switch (command._tag) {
    case "OpenScope":
      return world.openScope(command.parallel)
    case "MakeGuard":
      return makeGuard(world, command.scope, command.guard)
    case "CloseScope":
      return closeScope(world, command.scope, command.exit)
    case "Cleanup":
      return withOne(pickGuard(world, command.guard), command.guard, (one) => cleanUp(world, one, command.callers))
    case "Disarm":
      return withOne(pickGuard(world, command.guard), command.guard, ({ guard }) => Effect.exit(guard.disarm))
    case "Transfer":
      return withOne(
        made,
        command.guard,
        (one) => withOne(world.scopes, command.scope, (opened) => transfer(world, one, opened))
      )
    case "Schedule":
      return withOne(pickGuard(world, command.guard), command.guard, (one) => schedule(world, one, command.priority))
    case "Unschedule":
      return withOne(world.scheduled, command.scheduled, ({ cancel }) => cancel)
    case "CleanupWhere": {
      const matches = world.live().filter(({ plan }) => plan.priority === command.priority)
      return Effect.asVoid(
        batch(world, "forced", matches, registry.cleanupWhere((info) => info.priority === command.priority))
      )
    }
    case "ForceCleanupAll":
      return Effect.asVoid(batch(world, "forced", world.live(), registry.forceCleanupAll))
    case "Borrow":
      return withOne(pickGuard(world, command.guard), command.guard, (one) => borrow(world, one))
    case "FinishBorrow":
      return withOne(world.borrows, command.borrow, (gate) => Deferred.succeed(gate, undefined))
    case "RetryDeadLetter":
      return retry(world, command.letter)
    case "LetGo":
      return withOne(made, command.guard, (one) => {
        one.model.disturbed = true
        return one.model.resource.letGo
      })
    case "Interrupt":
      return withOne(
        world.running.filter(({ done, isOwner }) => !done && !isOwner),
        command.fiber,
        (running) => world.interrupt(running)
      )
    case "Advance":
      return world.time.advance(command.millis)
    case "Shutdown":
      return Effect.asVoid(batch(world, "shutdown", world.live(), registry.shutdown))
  }
}
