/** When each message is written and what to do about it, by the message's key (`messages.ts`). */
import type { Explanation } from "./messages.js"

const say = (when: string, action: string): Explanation => ({ when, action })

const core = {
  "core/CleanupTimeout": say(
    "A release did not end within its guard's `timeout`. If it did not stop either, it was abandoned and may still run.",
    "Find out what the release waits for. Raise `timeout`, mark the release `interruptible`, or give the guard a `fallback`."
  ),
  "core/AlreadyCleanedUp": say(
    "A guard is used, cleaned up or transferred after its cleanup began.",
    "Acquire the resource again. Borrow with `use` rather than `value` where a cleanup may come in between."
  ),
  "core/CleanupFailed": say(
    "The release failed or died, and neither a retry nor the fallback succeeded.",
    "Read the cause. The cleanup is kept as a dead letter: retry it with `deadLetters.retry`, or handle the cause in `recovery`."
  ),
  "core/RegistryShuttingDown": say(
    "Something is acquired, registered or scheduled after the registry began its shutdown.",
    "Nothing at a shutdown. At any other time, check that the registry is provided once and at the top."
  ),
  "core/UnknownDependency": say(
    "`dependsOn` names a guard, an id or a Tag that this registry does not hold, or a refresh would close a circle.",
    "Acquire the dependency first, and in the same registry."
  ),
  "core/InvalidInput": say(
    "An option or another input is outside of its range. The error arrives within a `Validation`.",
    "Correct the value; the message states the allowed range."
  ),
  "core/RateLimited": say(
    "The application reports its own rate limit with this error.",
    "Try again after the given time."
  ),
  "core/ValidationTimeout": say(
    "The application reports with it that a check took too long.",
    "Try again, or give the check more time."
  ),
  "core/ToolExecutionFailed": say(
    "The application reports with it that a tool failed.",
    "Read the reason and the cause."
  ),
  "core/AgentStateMismatch": say(
    "The application reports with it a request that the current state does not allow.",
    "Bring the agent into the expected state first."
  ),
  "core/NetworkTimeout": say("The application reports with it that an endpoint did not answer in time.", "Try again."),
  "core/NetworkRateLimited": say(
    "The application reports with it that an endpoint refused a request for its rate.",
    "Try again after the given time."
  ),
  "core/Unauthorized": say(
    "The application reports with it that an endpoint refused its credentials.",
    "Check the credentials; a retry does not help."
  ),
  "core/ServiceUnavailable": say(
    "The application reports with it that an endpoint is down or out of reach.",
    "Try again after the given time."
  ),
  "core/FileNotFound": say("The application reports with it a missing file of its configuration.", "Create the file."),
  "core/InvalidFormat": say(
    "The application reports with it a part of its configuration that cannot be parsed.",
    "Correct the source that the message names."
  ),
  "core/MissingRequired": say("The application reports with it a setting that has no default.", "Set it."),
  "core/DeadLetterUnavailable": say(
    "`deadLetters.retry` is called for a cleanup that is unknown, abandoned, already being retried, or older than 5 minutes.",
    "Nothing, if another retry runs. Otherwise release what is left by hand: the registry no longer has the value."
  ),
  "core/RuntimeDisposed": say(
    "A `ResourceRuntime` runs an effect after `dispose` began.",
    "Make a new runtime, or end the caller first."
  ),
  "core/FinalizersFailed": say(
    "`ResourceGuard.fromScoped` releases its effect, and some finalizers in that effect's scope failed or did not end.",
    "Read the report in the error: it has a row for each finalizer."
  ),
  "core/Fibers.refuse": say(
    "The installed `effect` differs from the version that this one was made for.",
    "Install `effect` 3.22.4 or a later 3.22 version, and only one copy of it."
  ),
  "core/ResourceMonitor.logs": say(
    "`ResourceMonitor.layerLogs` is provided and something happens to a resource.",
    "Nothing; the line is meant for debugging."
  ),
  "core/ResourceMonitor.logs#2": say(
    "`ResourceMonitor.layerLogs` is provided and something happens to the registry.",
    "Nothing; the line is meant for debugging."
  ),
  "core/CleanupLog.failed": say(
    "A cleanup ran into its time limit. The line is the message of `CleanupTimeout`.",
    "As for `CleanupTimeout`."
  ),
  "core/CleanupLog.failed#2": say(
    "A cleanup failed for good. The line is the message of `CleanupFailed`, with its cause.",
    "As for `CleanupFailed`. If the fallback was abandoned, find out what the fallback waits for."
  ),
  "core/CleanupLog.slow": say(
    "A cleanup has run for longer than `slowAfter`. It runs on, and no longer takes a slot of the registry.",
    "Look at what the release waits for, or raise `slowAfter` if that is normal."
  ),
  "core/CleanupLog.leakSuspected": say(
    "A resource has been live for longer than `leakThreshold`.",
    "Check its holder in a snapshot. Set `captureStacks` to see where it was acquired."
  ),
  "core/CleanupLog.leakResolved": say(
    "A resource that was suspected as a leak has ended.",
    "Raise `leakThreshold` if such an age is normal."
  ),
  "core/CleanupLog.closedUnderGuards": say(
    "The registry's layer closes before the scopes of the named guards.",
    "Provide the registry once, at the top, so that it closes last."
  ),
  "core/CleanupLog.secondRegistry": say(
    "A registry is built where another one is already provided.",
    "Provide one registry, at the top. Keep the result of `layerWith` in a constant."
  ),
  "core/CleanupLog.shutDown": say(
    "A shutdown of the registry ended with failed or abandoned cleanups.",
    "Look for the line of each of them, or print the report with `CleanupReport.render`."
  ),
  "core/Source.warn": say(
    "A refresh of a refreshable guard failed. The old value stays and the schedule goes on.",
    "Read the cause. The refresh is retried by its schedule."
  ),
  "core/Unscoped.collected": say(
    "A guard of `makeUnscoped` was garbage collected without a cleanup.",
    "Call `cleanup` where the guard's use ends."
  ),
  "core/RuntimeDisposal.abandon": say(
    "`dispose` of a `ResourceRuntime` interrupted fibers that have not ended within its limit.",
    "Find out what blocks the named fibers: an uninterruptible region, or a promise without a signal."
  )
}

const pool = {
  "pool/PoolCreateTimeout": say(
    "`create` took longer than `createTimeout`. The attempt counts as a failed creation.",
    "Check the server; raise `createTimeout` if connecting takes that long."
  ),
  "pool/PoolOperationTimeout": say(
    "`validate`, `recycle` or `keepAlive` took longer than its limit. The item is destroyed.",
    "Check the server, or raise the limit of that function."
  ),
  "pool/PoolItemUnfit": say(
    "A new item failed its first validation, or was invalidated before its first use.",
    "Read the cause: `create` gives items that `validate` refuses."
  ),
  "pool/PoolTimeout": say(
    "A borrow reached its `acquireTimeout`. The message says what it was waiting for.",
    "Waiting for a return: raise `maxSize` or shorten the uses. Creating or validating: check the server."
  ),
  "pool/PoolExhausted": say(
    "`tryUse` or `tryGet` found no idle item, the pool is suspended, or `maxWaiters` borrowers already wait.",
    "Try again later, shed the load, or raise `maxSize` or `maxWaiters`."
  ),
  "pool/PoolClosed": say(
    "A borrow comes after the drain began.",
    "Nothing at a shutdown; otherwise end the borrower first."
  ),
  "pool/PoolCreationFailed": say(
    "`failFastAfter` creations in a row have failed, and no item is in use.",
    "Read the cause of the last attempt. The pool goes on trying by itself."
  ),
  "pool/PoolValidationFailed": say(
    "`tryUse` or `tryGet` found idle items, and none passed its validation.",
    "Try again: the pool creates new items meanwhile."
  ),
  "pool/ItemLifecycle.creating": say(
    "The registry released an item between its creation and its first use, as at a shutdown.",
    "Nothing; the creation counts as failed."
  ),
  "pool/PromisePool.makePromisePool": say(
    "`release` or `destroy` of a promise pool gets an item that this pool has not lent, or has taken back.",
    "Return each item once, and to the pool it came from."
  ),
  "pool/PoolReporter.creationFailed": say(
    "The first creation in a row failed, or the one that makes borrowers fail at once.",
    "Read the cause. The pool goes on trying, with growing pauses."
  ),
  "pool/PoolReporter.circuitClosed": say("A creation succeeded after borrowers had failed at once.", "Nothing."),
  "pool/PoolReporter.itemFailed": say(
    "A function of the pool failed for an item, and the item is destroyed.",
    "Single lines are normal after a network fault. Many of them: check the server and the function."
  ),
  "pool/PoolReporter.slowBorrow": say(
    "A borrower has waited for `slowBorrowAfter`. At most one line appears in each interval; it counts the others.",
    "Compare the counts with `maxSize`: long uses, too few items, or slow creations."
  ),
  "pool/PoolReporter.leakSuspected": say(
    "An item has been in use for longer than the leak threshold.",
    "Look at the named fiber and stack; set `leaseTimeout` if such an item should be reclaimed."
  ),
  "pool/PoolReporter.leakResolved": say("An item that was suspected as a leak has been returned.", "Nothing."),
  "pool/PoolReporter.leaseExpired": say(
    "An item was in use for longer than `leaseTimeout`.",
    "Shorten the use or raise `leaseTimeout`. A reclaimed item is destroyed under its holder."
  )
}

const cache = {
  "cache/CacheTimeout": say(
    "A call reached its `acquireTimeout`. The message says whether it waited for room or for the lookup.",
    "Room: raise `maxEntries` or shorten the uses. Lookup: check its source, or raise `acquireTimeout`."
  ),
  "cache/CacheFull": say(
    "All entries are in use, and `whenFull` is `fail`; or the entries in use wait for more room themselves.",
    "Raise `maxEntries`, shorten the uses, or set `whenFull` to `wait` or `exceed`."
  ),
  "cache/CacheClosed": say(
    "A call comes after the close began.",
    "Nothing at a shutdown; otherwise end the caller first."
  ),
  "cache/CacheCycle": say(
    "A lookup asks the cache for its own key, directly or through other lookups.",
    "Break the circle: a lookup must not need the value that it makes."
  ),
  "cache/CacheValueReleased": say(
    "A lookup returned a value that the cache is already releasing.",
    "Return a new value from each lookup."
  ),
  "cache/RemovalListener.listen": say(
    "A removal listener took longer than its limit; it is interrupted.",
    "Fork long work in the listener."
  ),
  "cache/GuardedPolicy.victim": say(
    "A custom policy named an entry that is in use or unknown. The cache goes on with LRU.",
    "Correct `victim` of that policy."
  ),
  "cache/CacheReporter.listenerFailed": say(
    "A removal listener failed, died or timed out. The removal stands.",
    "Read the reason and correct the listener."
  ),
  "cache/CacheReporter.policyFailed": say(
    "A custom policy threw or broke its contract.",
    "Correct the policy; until a restart the cache evicts by LRU."
  ),
  "cache/CacheReporter.refreshFailed": say(
    "A refresh failed for the first time in a row, and the old value is kept.",
    "Check the source of the lookup. The value expires as its options say."
  ),
  "cache/CacheReporter.abandoned": say(
    "A lookup ignored its interruption. Its key and its place are free again.",
    "Make the lookup interruptible, or give its promise the signal."
  ),
  "cache/CacheReporter.notTaken": say(
    "`set` got a value that this cache holds or releases already.",
    "Set a value once, and under one key."
  )
}

const platform = {
  "platform/RequestsLetGo": say(
    "Handlers still ran half a second after the drain had interrupted them.",
    "Make the handler interruptible; give its promises a signal."
  ),
  "platform/HttpDrain.reportCutOff": say(
    "Requests were still running at `drainTimeout`. They are interrupted, and the exit code is 1.",
    "Raise `drainTimeout`, or wrap endless responses in `HttpDrain.endWithDrain`."
  ),
  "platform/CheckRun.make": say("A health check passes after it had failed.", "Nothing."),
  "platform/CheckRun.make#2": say(
    "A health check fails or times out after it had passed.",
    "Read the cause; `/ready` answers 503 until the check passes."
  )
}

const deadline = say(
  "The shutdown reached `shutdownTimeout`.",
  "Look at what still runs. Give it a shorter limit, or the process more time."
)

const platformNode = {
  "platform-node/NodeRuntime.start": say(
    "A second `runMain` or `launch` starts in one process.",
    "Run both programs as one effect, with `Effect.all` or `Layer.merge`."
  ),
  "platform-node/NodeRuntime.refuse": say(
    "An option of `runMain` or `launch` is invalid, or the installed `effect` does not fit. The process exits with 1.",
    "Correct the option that the message names."
  ),
  "platform-node/Main.constructor": say(
    "An error reached the process without a handler. The process shuts down and exits with 1.",
    "Read the cause; its stack names the place."
  ),
  "platform-node/Main.start": say(
    "The installed `effect` builds layers in a way that NodeRuntime does not know.",
    "Build the layers with `NodeRuntime.launch` or `ResourceScope.provide`."
  ),
  "platform-node/Main.request": say("A signal, a request or an error starts the shutdown.", "Nothing."),
  "platform-node/Main.startWatch": say(
    "The program is still building layers, at growing intervals.",
    "Look at the named layers if the start should be faster."
  ),
  "platform-node/Main.startTimedOut": say(
    "The start took longer than `startTimeout`. The process shuts down and exits with 1.",
    "Find out what the named layer waits for, or raise `startTimeout`."
  ),
  "platform-node/Main.run": say("The program failed. The process shuts down and exits with 1.", "Read the cause."),
  "platform-node/Main.run#2": say(
    "The program failed, and the logger could not write that.",
    "Read the cause, then check the logger."
  ),
  "platform-node/Main.onSignal": say("A signal starts the shutdown.", "Nothing."),
  "platform-node/Main.onNextSignal": say(
    "A second signal arrives during the shutdown. The process exits at once with 128 + signal.",
    "Nothing, if a person sent it. Otherwise give the process more time before the second signal."
  ),
  "platform-node/Main.onDisconnect": say("The channel to the parent process has closed.", "Nothing."),
  "platform-node/Main.onExit": say(
    "Code calls `process.exit` during the shutdown. An exit code of 0 becomes 1.",
    "Remove the call that the line names."
  ),
  "platform-node/Main.onRejection": say(
    "A promise was rejected without a handler. The process shuts down and exits with 1.",
    "Handle the rejection where the cause's stack points."
  ),
  "platform-node/Main.onRejection#2": say(
    "A promise was rejected without a handler, and `unhandledRejection` is set to log only.",
    "Handle the rejection where the cause's stack points."
  ),
  "platform-node/Main.onUncaught": say(
    "An uncaught error came from the very output that the logger writes to.",
    "Read the cause; often the reader of a pipe has gone."
  ),
  "platform-node/Main.begin": say(
    "The shutdown itself died. This is a fault of NodeRuntime.",
    "Report it with the cause."
  ),
  "platform-node/Main.watch": say(
    "No worker thread could be started. A finalizer that blocks the main thread will not be ended at the deadline.",
    "Allow worker threads, or let the supervisor kill the process."
  ),
  "platform-node/Main.shutDown": say(
    "Fibers of the program ignored their interruption. The shutdown goes on without them.",
    "Look for uninterruptible regions and for promises without a signal in the named fibers."
  ),
  "platform-node/Main.shutDown#2": say(
    "The `loggerLayer` failed or did not close in time.",
    "Read the table; the last log lines may be lost."
  ),
  "platform-node/Main.reportProgress": say(
    "The shutdown is still running, at growing intervals. The level becomes warning after half of `shutdownTimeout`.",
    "Look at the named finalizers and fibers if the shutdown should be faster."
  ),
  "platform-node/Main.reportEnd": say(
    "The shutdown has ended: at debug level if the program ended by itself, info after a signal, error if not clean.",
    "If not clean, read the table: each row has its outcome and error."
  ),
  "platform-node/Main.reachDeadline": say(
    "The process exits although the reader of its output has not read everything.",
    "Check what reads standard output and standard error."
  ),
  "platform-node/Main.reachDeadline#2": deadline,
  "platform-node/Main.exitInside": say(
    "The shutdown reached `shutdownTimeout` while JavaScript or a synchronous call blocked the main thread.",
    "Look for a loop or a synchronous call in what still runs."
  ),
  "platform-node/Main.end": say("The `teardown` option threw. The process exits with 1.", "Correct the function."),
  "platform-node/Main.watchLeftOpen": say(
    "The program has ended, and an open handle keeps the process alive for another `shutdownTimeout`.",
    "Close the named handles in a finalizer, or `unref` them."
  )
}

const injected = say("A test asked for this fault.", "Nothing.")

const vitest = {
  "vitest/ReleaseFault": injected,
  "vitest/AcquireFault": injected,
  "vitest/RecoveryPlan.fallbacks": injected,
  "vitest/TestResource.behaviour": injected,
  "vitest/TestResource.behaviour#2": injected,
  "vitest/InvariantBroken": say(
    "An interruption sweep found a point after which the invariant does not hold.",
    "Run that point alone with `only`; the message has its number."
  ),
  "vitest/SweepFailed": say(
    "An interruption sweep could not test the effect: it failed by itself, was never interrupted, or did not end.",
    "Run the effect alone, then raise `maxPoints` or set `only`."
  ),
  "vitest/LeaksFound": say(
    "A leak check found guards that are live, in cleanup or abandoned at the end of a test.",
    "Close what the message lists; each line has its id, its age and where it was acquired."
  ),
  "vitest/NoRegistrySeen": say(
    "A leak check saw no registry, and has tested nothing.",
    "Build the registry inside the test, or pass `{ allowEmpty: true }`."
  ),
  "vitest/NotStarted": say("`NodeProgram` could not start its process.", "Read the cause; often the path is wrong."),
  "vitest/ProgramBroken": say(
    "A check of many programs found one whose invariant does not hold.",
    "Start with the program in the message: it is the smallest that still fails."
  ),
  "vitest/ProgramRunner.failureOf": say(
    "A program on virtual time waits for something other than its clock.",
    "Look for real timers, promises and I/O in the program."
  ),
  "vitest/ProgramRunner.failureOf#2": say(
    "A program on virtual time never comes to rest.",
    "Look for a loop without a pause, or raise the number of turns."
  ),
  "vitest/ProgramRunner.failureOf#3": say("The run loop of a fiber threw.", "Read the cause.")
}

export const explanations: Readonly<Record<string, Explanation>> = {
  ...core,
  ...pool,
  ...cache,
  ...platform,
  ...platformNode,
  ...vitest
}

/** Texts of errors that no user reads: they stand for values, or are caught where they are thrown. */
export const unseen: ReadonlyArray<string> = [
  "platform-node/Seam.probe",
  "platform-node/Seam.probe#2",
  "vitest/Untellable.error",
  "vitest/Untellable.circular",
  "vitest/Untellable.makers"
]
