/** What holds after every step, and at the end. */
import { Effect } from "effect"
import type { CleanupReport, ResourceRegistry } from "../../src/index.js"
import type { Model } from "./model.js"
import { forceMargin, type GuardModel, hasEnded, isLive, Violation } from "./state.js"
import type { World } from "./world.js"

/** P6, by the model's own count. */
const checkAccounts = (model: Model, accounts: ResourceRegistry.RegistryAccounts): void => {
  const guards = model.all()
  const having = (...states: ReadonlyArray<string>) => guards.filter(({ state }) => states.includes(state)).length
  const expected = {
    registered: guards.filter((guard) => isLive(guard) || hasEnded(guard)).length,
    live: guards.filter(isLive).length,
    cleaned: having("cleaned"),
    recovered: having("recovered"),
    failed: having("failed", "retrying"),
    abandoned: having("abandoned"),
    disarmed: having("disarmed")
  }
  for (const key of Object.keys(expected) as Array<keyof typeof expected>) {
    if (accounts[key] !== expected[key]) {
      throw new Violation("P6", `the registry counts ${accounts[key]} ${key}, the model ${expected[key]}`)
    }
  }
  const { abandoned, cleaned, cleaning, disarmed, failed, inUse, live, recovered, registered, waiting } = accounts
  if (
    registered !== live + cleaned + recovered + failed + abandoned + disarmed || live !== inUse + waiting + cleaning
  ) {
    throw new Violation("P6", `the accounts do not add up: ${JSON.stringify(accounts)}`)
  }
}

/** A retry that fails again has no event of its own: the registry's dead letters say how it ended. */
const settleRetries = (
  retried: ReadonlyArray<GuardModel>,
  snapshot: ResourceRegistry.RegistrySnapshot
): void => {
  for (const guard of retried) {
    if (snapshot.running.some(({ typeName }) => typeName === guard.name)) continue
    const letter = snapshot.deadLetters.find(({ typeName }) => typeName === guard.name)
    const outcome = letter?.record.outcome
    if (outcome !== "failed" && outcome !== "abandoned") {
      throw new Violation("P6", `the retry of ${guard.name} is over, and its dead letter says ${outcome}`)
    }
    guard.state = outcome
  }
}

/** P1, by what the resources themselves saw. */
const checkResources = ({ resources }: World): void => {
  for (const { attempts, maxConcurrent, name, released } of resources) {
    if (maxConcurrent() > 1) throw new Violation("P1", `two attempts of ${name} overlapped`)
    if (released() > 1) throw new Violation("P1", `${name} was released ${released()} times`)
    if (attempts() > 0 && released() > attempts()) throw new Violation("P1", `${name} was released unasked`)
  }
}

/** P3 for single cleanups, and for whoever waits for a close of many. */
const checkBounds = ({ model, running }: World): void => {
  const now = model.now()
  for (const guard of model.all()) {
    if (guard.state === "cleaning" && now - guard.startedAt > guard.plan.timeoutMillis) {
      throw new Violation("P3", `${guard.name} has been cleaning up for ${now - guard.startedAt} ms`)
    }
  }
  for (const { done, label, mustEndBy, startedAt } of running) {
    if (!done && now > mustEndBy()) {
      throw new Violation(
        "P3",
        `${label}, begun at ${startedAt}, was to be over at ${mustEndBy()} and is not at ${now}`
      )
    }
  }
}

/** P2: shortly before a deadline everything has started; after it, everything is over. */
const checkBatches = ({ model, program }: World): void => {
  const now = model.now()
  const timeout = program.shutdownTimeoutMillis
  for (const { guards, kind, startedAt } of model.batches) {
    if (now < startedAt + timeout - forceMargin(timeout) + 1) continue
    for (const guard of guards) {
      if (guard.state === "inUse" || guard.state === "waiting") {
        throw new Violation("P2", `${guard.name} is ${guard.state} ${now - startedAt} ms into a ${kind} cleanup`)
      }
      if (guard.state === "cleaning" && now > startedAt + timeout) {
        throw new Violation("P3", `${guard.name} is being cleaned up ${now - startedAt} ms into a ${kind} cleanup`)
      }
    }
  }
}

/** P7: with nothing live and nothing under way, nothing is due. */
const checkTimers = ({ time: { sleepers } }: World, health: ResourceRegistry.RegistryHealth): void => {
  const { abandoned, acquiring, live, running } = health
  if (live + running + acquiring + abandoned === 0 && sleepers() > 0) {
    throw new Violation("P7", `an idle registry holds ${sleepers()} timers`)
  }
}

/** After a step. */
export const check = (world: World): Effect.Effect<void> =>
  Effect.gen(function*() {
    if (world.violation !== undefined) throw world.violation
    yield* world.collect()
    const retried = world.model.all().filter(({ state }) => state === "retrying")
    if (retried.length > 0) settleRetries(retried, yield* world.registry.snapshot)
    checkAccounts(world.model, yield* world.registry.accounts)
    checkTimers(world, yield* world.registry.health)
    checkResources(world)
    checkBounds(world)
    checkBatches(world)
    for (const { guard, model } of world.made) {
      const state = yield* guard.state
      const isSame = model.state === "retrying" ? state === "failed" : !hasEnded(model) || state === model.state
      if (model.late && (state === "inUse" || state === "waiting")) {
        throw new Violation("P2", `${model.name} is ${state}, but was given to a scope that had closed`)
      }
      if (!isSame) throw new Violation("P6", `${model.name} is ${state}, the model says ${model.state}`)
    }
  })

/** P6: the report of the shutdown names each resource that was live, once, with the end it came to. */
const checkReport = ({ model }: World, report: CleanupReport.CleanupReport): void => {
  const shutdown = model.batches.find(({ kind }) => kind === "shutdown")
  const names = report.records.map(({ typeName }) => typeName)
  if (new Set(names).size !== names.length) throw new Violation("P6", "the report names a resource twice")
  for (const { name } of shutdown?.guards ?? []) {
    if (!names.includes(name)) throw new Violation("P6", `the report leaves ${name} out`)
  }
  for (const { outcome, typeName } of report.records) {
    const guard = model.guards.get(typeName)
    const isTrue = outcome === "acquiring" ||
      (outcome === "running" ? report.deadlineReached : guard?.state === outcome)
    if (!isTrue) throw new Violation("P6", `the report says that ${typeName} is ${outcome}, and it is ${guard?.state}`)
  }
  const { abandoned, cleaned, disarmed, failed, recovered, stillAcquiring, stillRunning, total } = report.totals
  if (total !== cleaned + recovered + failed + abandoned + disarmed + stillRunning + stillAcquiring) {
    throw new Violation("P6", "the totals of the report do not add up")
  }
  if (report.durationMillis > report.deadlineMillis) throw new Violation("P3", "the shutdown took longer than allowed")
}

/** When the shutdown is over and every acquire has ended. */
export const checkEnd = (world: World, report: CleanupReport.CleanupReport): void => {
  checkReport(world, report)
  for (const guard of world.model.all()) {
    if (isLive(guard) || guard.state === "acquiring") {
      throw new Violation("P2", `${guard.name} is ${guard.state} after the shutdown`)
    }
    const wasTried = guard.resource.attempts() > 0 || guard.state === "disarmed" || guard.state === "never"
    if (!wasTried) throw new Violation("P2", `${guard.name} is ${guard.state}, and its release was never called`)
  }
}

/** When everything that still ran was let go, too. */
export const checkQuiet = (world: World): Effect.Effect<void> =>
  Effect.gen(function*() {
    yield* check(world)
    const open = world.running.filter(({ done }) => !done).map(({ label }) => label)
    if (open.length > 0) throw new Violation("P3", `never over: ${open.join(", ")}`)
    const { abandoned, accounts } = yield* world.registry.snapshot
    if (abandoned.length > 0) throw new Violation("P6", "an abandoned cleanup has ended, and is still listed")
    if (accounts.live > 0) throw new Violation("P6", `${accounts.live} live after everything`)
    for (const resource of world.resources) {
      const entries = resource.journal.entries().map(({ what }) => what)
      const success = entries.indexOf("released")
      if (success !== -1 && entries.includes("attempted", success)) {
        throw new Violation("P1", `${resource.name} was released again after it had been`)
      }
    }
  })

/** P9: each cleanup that failed for good is in the log, whatever its error's text does. */
export const checkTold = (model: Model, told: ReadonlySet<string>): void => {
  for (const { name, state } of model.all()) {
    if (state === "failed" && !told.has(name)) {
      throw new Violation("P9", `the log says nothing of ${name}, which failed`)
    }
  }
}
