/** `@patinox/cache` as it runs: who waits, how values come and go, its end, and what it tells. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("cache")

export const cacheRunning = [
  mutation(
    "one who gives up hides that another still waits for a lookup",
    "internal/Loading.ts",
    "if (waiting === 0) this.pending.delete(other)",
    "if (by < 0) this.pending.delete(other)",
    "ResourceCache.sharing"
  ),
  mutation(
    "a lookup that asked for another once is said to wait for it still",
    "internal/Caller.ts",
    "      onFailure: (cause) => {\n        within?.waits(loading, -1)\n",
    "      onFailure: (cause) => {\n",
    "ResourceCache.sharing"
  ),
  mutation(
    "the timer of who was given a value goes on",
    "internal/Caller.ts",
    "    this.cache.timers.clear(this)\n    this.resume?.",
    "    this.resume?.",
    "ResourceCache.quiet"
  ),
  mutation(
    "the timer of who gave up goes on",
    "internal/Caller.ts",
    "    cache.timers.clear(this)\n    if (slot === undefined)",
    "    if (slot === undefined)",
    "ResourceCache.quiet"
  ),
  mutation(
    "a value stays in use that came as its caller was interrupted",
    "internal/Caller.ts",
    "    else cache.state.leave(slot)\n",
    "",
    "ResourceCache.sharing"
  ),
  mutation(
    "who is out of time waiting for room is told of the lookup",
    "internal/Caller.ts",
    "loading!.phase === \"queued\" ? \"room\" : \"lookup\"",
    "\"lookup\"",
    "ResourceCache.capacity"
  ),
  mutation(
    "a lookup goes on whose callers are all out of time",
    "internal/Caller.ts",
    "    cache.state.abandon(this, loading!)\n    cache.lookups",
    "    cache.lookups",
    "ResourceCache.sharing",
    "ResourceCache.capacity"
  ),
  mutation(
    "no event tells whose time is up",
    "internal/Cache.ts",
    "    this.teller.emit(() => ({ _tag: \"TimedOut\", error }))\n",
    "",
    "ResourceCache.events"
  ),
  mutation(
    "a value stays in use whose callback failed",
    "internal/Cache.ts",
    "      onFailure: (cause) => {\n        this.letGo(slot, hold)\n",
    "      onFailure: (cause) => {\n",
    "ResourceCache"
  ),
  mutation(
    "a value is given whose weigher failed",
    "internal/Cache.ts",
    "    if (held === undefined || held.isSpoiled) return this.failure(slot)\n    const hold = this.hold(held, fiber, now)\n    // One",
    "    if (held === undefined) return this.failure(slot)\n    const hold = this.hold(held, fiber, now)\n    // One",
    "ResourceCache.weights"
  ),
  mutation(
    "a value is released while its removal listener has it",
    "internal/Cache.ts",
    "    this.state.hear(slot)\n",
    "    this.state.use(slot)\n    this.state.leave(slot)\n",
    "ResourceCache.listener"
  ),
  mutation(
    "a removal listener that ignores interruption keeps the value",
    "internal/Cache.ts",
    "      Effect.disconnect,\n",
    "",
    "ResourceCache.listener"
  ),
  mutation(
    "a removal listener that fails is not told of",
    "internal/Cache.ts",
    "        if (Exit.isFailure(exit)) this.teller.listenerFailed(slot, exit.cause)\n",
    "",
    "ResourceCache.listener"
  ),
  mutation(
    "kept failures are put to the choice of what to invalidate",
    "internal/Cache.ts",
    "values.filter(({ exit, key }) =>",
    "this.state.all().filter(({ exit, key }) =>",
    "ResourceCache.expiry"
  ),
  mutation(
    "who asks after an invalidation by choice gets a failure that was kept before",
    "internal/Cache.ts",
    "[...meant, ...failures]",
    "meant",
    "ResourceCache.expiry"
  ),
  mutation(
    "the metrics do not tell why values left",
    "internal/Cache.ts",
    "    this.metrics.removed(reason)\n",
    "",
    "ResourceCache.events"
  ),
  mutation(
    "the gauges of a cache are those of the last of its name",
    "internal/CacheMetrics.ts",
    "totals.entries += entriesNow - this.lastEntries",
    "totals.entries = entriesNow",
    "ResourceCache.events"
  ),
  mutation(
    "a caller of a closed cache hears nothing of its registry",
    "internal/Cache.ts",
    "    this.whyClosed = \"registry shutting down\"\n",
    "",
    "ResourceCache.release"
  ),
  mutation(
    "the releases of a cache wait at everybody's priority",
    "internal/Lookups.ts",
    "      priority,\n",
    "",
    "ResourceCache"
  ),
  mutation(
    "the fallback of a cache gets something else than the value",
    "internal/Lookups.ts",
    "fallback((slot as Slot<K, A, E>).held!.value, error)",
    "fallback(slot as A, error)",
    "ResourceCache.release"
  ),
  mutation(
    "a lookup that nobody waits for may take for ever",
    "internal/Lookups.ts",
    "      this.limit(attempt, loading.startedAt + options.acquireTimeout, () => this.unasked(loading))\n",
    "",
    "ResourceCache.stale"
  ),
  mutation(
    "the timer of a lookup that nobody waits for outlives it",
    "internal/Lookups.ts",
    "    if (attempt.deadline !== undefined) this.cache.timers.clear(attempt.deadline)\n",
    "",
    "ResourceCache.quiet"
  ),
  mutation(
    "a lookup whose value has to be released is interrupted in the middle",
    "internal/Lookups.ts",
    "if (manager.release === undefined) return this.interrupt",
    "return this.interrupt",
    "ResourceCache.interruption",
    "ResourceCache.closing"
  ),
  mutation(
    "an uninterruptible region of a lookup loses what it has opened",
    "internal/Lookups.ts",
    "if (Seam.isInterruptible(attempt!.fiber!)) return",
    "if (attempt!.fiber !== undefined) return",
    "ResourceCache.interruption"
  ),
  mutation(
    "a value is lost when the lookup is interrupted in the step that gives it",
    "internal/Lookups.ts",
    "this.looked(attempt, found ?? exit, scope)",
    "this.looked(attempt, exit, scope)",
    "ResourceCache.interruption"
  ),
  mutation(
    "the end of a cache waits for lookups that nobody wants",
    "internal/Closing.ts",
    "    for (const loading of state.running) if (!this.own.has(loading)) lookups.cutOff(loading)\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "a lookup that nobody wants cannot be interrupted",
    "internal/Lookups.ts",
    "Effect.exit(Effect.interruptible(inside))",
    "Effect.exit(inside)",
    "ResourceCache.release",
    "ResourceCache.sharing"
  ),
  mutation(
    "a lookup that fails leaves open what it has opened",
    "internal/Lookups.ts",
    "    if (!scope.isEmpty) return Effect.andThen(scope.close(exit), Effect.asVoid(after))\n",
    "",
    "ResourceCache.release"
  ),
  mutation(
    "a lookup that was ended is kept as a failure",
    "internal/Lookups.ts",
    " && !keepsOld && !isEnded)",
    " && !keepsOld)",
    "ResourceCache.sharing"
  ),
  mutation(
    "a failure that is kept takes the place of an old value",
    "internal/Lookups.ts",
    " && !keepsOld && !isEnded)",
    " && !isEnded)",
    "ResourceCache.stale"
  ),
  mutation(
    "a lookup that was ended is told as one that failed",
    "internal/Lookups.ts",
    "    if (!isEnded) {\n",
    "    {\n",
    "ResourceCache.events"
  ),
  mutation(
    "values expire later by their jitter",
    "internal/Lookups.ts",
    "millis * (1 - early)",
    "millis * (1 + early)",
    "ResourceCache.expiry"
  ),
  mutation(
    "failures are kept for as long as values",
    "internal/Lookups.ts",
    "    if (Exit.isFailure(exit)) return 0\n    return timeToLive ===",
    "    return timeToLive ===",
    "ResourceCache.expiry"
  ),
  mutation(
    "a cache's value has its caller's FiberRefs when it is released",
    "internal/Lookups.ts",
    "      Seam.setRefs(fiber, runtime.fiberRefs)\n",
    "",
    "ResourceCache.sharing",
    "ResourceCache.memory"
  ),
  mutation(
    "a lookup has nothing of its caller's",
    "internal/Lookups.ts",
    "attempt.fiber = Seam.forkFor(loading.origin, runtime, this.looking(attempt))",
    "attempt.fiber = Seam.forkLater(runtime, this.looking(attempt))",
    "ResourceCache.sharing"
  ),
  mutation(
    "a value that the registry refuses stays open",
    "internal/Lookups.ts",
    "return Effect.map(releases.unregistered(slot), () => then(true))",
    "return Effect.sync(() => then(true))",
    "ResourceCache.release"
  ),
  mutation(
    "a cache goes on looking up what its registry refuses",
    "internal/Lookups.ts",
    "            this.cache.refusedByRegistry()\n",
    "",
    "ResourceCache.release"
  ),
  mutation(
    "the registry does not know what a cache's values weigh",
    "internal/Lookups.ts",
    "{ ...this.settings, sizeBytes: Math.round(slot.weight) }",
    "this.settings",
    "ResourceCache"
  ),
  mutation(
    "a value that is set in a closed cache is said to be taken",
    "internal/Lookups.ts",
    "isTaken = !isRefused && state.isOpen",
    "isTaken = !isRefused",
    "ResourceCache.closing"
  ),
  mutation(
    "a cache gives a value that the registry releases",
    "internal/Releases.ts",
    "return isOthers ? Effect.andThen(this.notice(slot, held), this.byHand(slot)) : this.byHand(slot)",
    "return this.byHand(slot)",
    "ResourceCache.release"
  ),
  mutation(
    "the registry takes a cache's values from their users without a moment's notice",
    "internal/Releases.ts",
    "timers.now() + options.releaseTimeout / 6",
    "timers.now()",
    "ResourceCache.release"
  ),
  mutation(
    "the scope of a value stays open whose release failed",
    "internal/Releases.ts",
    "return Exit.isSuccess(exit) ? Effect.void : Effect.ignore",
    "return true ? Effect.void : Effect.ignore",
    "ResourceCache.release"
  ),
  mutation(
    "a finalizer that fails in the scope of a value is no failure of its release",
    "internal/Releases.ts",
    "CleanupReport.isClean(report) ? Effect.void : Effect.fail(new ResourceGuard.FinalizersFailed({ report }))",
    "Effect.void",
    "ResourceCache.release"
  ),
  mutation(
    "a value that the registry refuses may be released for ever",
    "internal/Releases.ts",
    "      Effect.interruptible,\n      Effect.timeout(Duration.millis(releaseTimeout))\n",
    "      Effect.interruptible\n",
    "ResourceCache.release"
  ),
  mutation(
    "the event of a release does not tell that it failed",
    "internal/Releases.ts",
    "...named(slot), ...(error === undefined ? undefined : { error })",
    "...named(slot)",
    "ResourceCache.release"
  ),
  mutation(
    "a cache takes values from their users too early",
    "internal/Closing.ts",
    "Math.min(5_000, timeout / 5)",
    "timeout / 5",
    "ResourceCache.closing"
  ),
  mutation(
    "a cache takes values from their users when its time is up already",
    "internal/Closing.ts",
    "Math.min(5_000, timeout / 5)",
    "0",
    "ResourceCache.closing"
  ),
  mutation(
    "a cache takes a value from who closes it",
    "internal/Closing.ts",
    "      if (this.endsByItself(slot)) continue\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "the end of a cache leaves what is held for a scope around it",
    "internal/Closing.ts",
    "hold.isScoped ? hold.fiber === fiber : Seam.isWithin(fiber, hold.fiber)",
    "Seam.isWithin(fiber, hold.fiber)",
    "ResourceCache.closing"
  ),
  mutation(
    "the end of a cache leaves what its own fiber holds for a scope",
    "internal/Closing.ts",
    "this.own.has(hold) && !hold.isScoped)",
    "this.own.has(hold))",
    "ResourceCache.closing"
  ),
  mutation(
    "the end of a cache does not wait for others that use what its own fiber uses",
    "internal/Closing.ts",
    "(holds.length > 0 && holds.every((hold) => this.own.has(hold)))",
    "holds.some((hold) => this.own.has(hold))",
    "ResourceCache.closing"
  ),
  mutation(
    "a lookup that cannot be interrupted when a cache forces its end is not looked at again",
    "internal/Lookups.ts",
    "      if (next <= last) this.limit(attempt!, next, look)\n",
    "      if (next < 0) this.limit(attempt!, next, look)\n",
    "ResourceCache.closing"
  ),
  mutation(
    "the end of a cache does not wait for lookups that go on",
    "internal/Closing.ts",
    "return running.size + occupancy.cached + occupancy.releasing - this.ownRunning",
    "return occupancy.cached + occupancy.releasing",
    "ResourceCache.closing"
  ),
  mutation(
    "the end of a cache does not wait for releases",
    "internal/Closing.ts",
    "return running.size + occupancy.cached + occupancy.releasing - this.ownRunning",
    "return running.size",
    "ResourceCache.closing"
  ),
  mutation(
    "a cache that is closed from its own lookup or release waits for that",
    "internal/Closing.ts",
    "      if (isOurs) this.own.add(item)\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "what was looked up keeps what it has replaced",
    "internal/Seam.ts",
    "Effect.sync(() => work.end())",
    "Effect.void",
    "ResourceCache.memory"
  ),
  mutation(
    "a lookup's own interruption is kept as a failure",
    "internal/Lookups.ts",
    "    if (Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)) return 0\n",
    "",
    "ResourceCache.expiry"
  ),
  mutation(
    "the report of a cache's end does not say what failed",
    "internal/Closing.ts",
    "      if (error !== undefined) this.failed.push({ id: slot.held!.id, key: slot.key, error })\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "the report of a cache's end does not say who was refused",
    "internal/Closing.ts",
    "this.refused = state.close()",
    "state.close()",
    "ResourceCache.closing"
  ),
  mutation(
    "the events of a cache do not end with it",
    "internal/Closing.ts",
    "    teller.closed()\n",
    "",
    "ResourceCache.events"
  ),
  mutation(
    "the end of a cache leaves its timer behind",
    "internal/Closing.ts",
    "        timers.clear(deadline)\n",
    "",
    "ResourceCache.quiet"
  ),
  mutation(
    "a cache has an end for each who asks for it",
    "internal/Making.ts",
    "    if (started !== undefined) return started\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "a plain cache waits for room",
    "internal/Making.ts",
    "isPlain ? { ...resolved, whenFull: \"exceed\" } : resolved",
    "resolved",
    "ResourceCache"
  ),
  mutation(
    "the close of a cache has the time of a finalizer",
    "internal/Making.ts",
    "limitsItself(() => Effect.uninterruptible(close))",
    "() => Effect.uninterruptible(close)",
    "ResourceCache.closing"
  ),
  mutation(
    "the close of a cache has more time than the scope that it is a part of",
    "internal/Making.ts",
    "      if (isWithScope) closing.hasten(leftMillis(fiber, cache.runtime.context as Context.Context<never>))\n",
    "",
    "ResourceCache.closing"
  ),
  mutation(
    "a value is given for a scope that has closed meanwhile",
    "internal/Cache.ts",
    "hold.isOver && wasOpen ? Effect.interrupt : Effect.succeed(held.value)",
    "Effect.succeed(held.value)",
    "ResourceCache"
  ),
  mutation(
    "the end of one use of a value forgets those before it",
    "internal/Held.ts",
    "    else hold.previous.next = hold.next\n",
    "    else hold.previous.next = undefined\n",
    "ResourceCache.inuse"
  ),
  mutation(
    "every failure of a row of refreshes is written to the log",
    "internal/Lookups.ts",
    "if (keepsOld && old!.failures === 0) teller",
    "if (keepsOld) teller",
    "ResourceCache.stale"
  ),
  mutation(
    "a cache may have no entries",
    "internal/Options.ts",
    "checkCount(option, value, 1)",
    "checkCount(option, value, 0)",
    "ResourceCache.options"
  ),
  mutation(
    "a value may weigh less than nothing",
    "internal/Options.ts",
    "typeof answer === \"number\" && answer >= 0 &&",
    "typeof answer === \"number\" &&",
    "ResourceCache.weights"
  ),
  mutation(
    "a release that has succeeded runs again where the scope of its value failed to close",
    "internal/Releases.ts",
    "release === undefined || held.hasReleased ?",
    "release === undefined ?",
    "ResourceCache.boundary"
  ),
  mutation(
    "a scope whose close failed counts as closed well at the next attempt",
    "internal/Releases.ts",
    "if (!held.isScopeClosed && scope.isEmpty) {",
    "if (scope.isEmpty) {",
    "ResourceCache.boundary"
  ),
  mutation(
    "a value that a cache has had is taken again",
    "internal/Lookups.ts",
    "    if (!isThere && !isPlain && isObject(value) && this.owned.has(value)) {",
    "    if (!isThere && !isPlain && isObject(value) && this.owned.has(value) && key === value) {",
    "ResourceCache.boundary"
  ),
  mutation(
    "a lookup gives a value that is being released",
    "internal/Lookups.ts",
    "if (this.known(exit.value) && state.leaving(exit.value) !== undefined) {",
    "if (this.known(exit.value) && state.leaving(exit.value) === there) {",
    "ResourceCache.boundary"
  ),
  mutation(
    "a lookup that does not stop keeps its key and its place",
    "internal/Lookups.ts",
    "    state.letGo(attempt.loading, now)\n",
    "",
    "ResourceCache.lookups"
  ),
  mutation(
    "a lookup that hangs is shared for ever by those who come one after the other",
    "internal/Caller.ts",
    "    cache.lookups.overdue(loading!)\n",
    "",
    "ResourceCache.lookups"
  ),
  mutation(
    "what a function of a cache opens for its own sake stays open",
    "internal/Making.ts",
    "Effect.scoped(UserFunction.effect(() => f(...args)))",
    "UserFunction.effect(() => f(...args))",
    "ResourceCache.boundary"
  ),
  mutation(
    "a circle over room is not seen",
    "internal/Caller.ts",
    "      if (RoomCircle.isClosedBy(this)) return",
    "      if (RoomCircle.isClosedBy(this) && limit < 0) return",
    "ResourceCache.lookups"
  ),
  mutation(
    "a refresh joins a lookup that has asked before it",
    "internal/CacheState.ts",
    "caller.takesOld || !existing.hasAsked ? existing",
    "caller.takesOld || existing.hasAsked ? existing",
    "ResourceCache.lookups"
  ),
  mutation(
    "lookups that run side by side send their requests one by one",
    "internal/Lookups.ts",
    "this.gathered !== undefined || Seam.isBatching(loading.origin) ?",
    "this.gathered !== undefined ?",
    "ResourceCache.lookups"
  ),
  mutation(
    "the end of a large cache lets go of all in one turn",
    "internal/Closing.ts",
    "state.closeSome(firstTurn)",
    "state.closeSome(Infinity)",
    "ResourceCache.several"
  ),
  mutation(
    "a key that was changed is not found when its value goes",
    "internal/KeyMap.ts",
    "  const bucket = this.byHash?.get(hash)\n    const index = bucket?.indexOf(value) ?? -1",
    "  const bucket = this.byHash?.get(hashOf(key))\n    const index = bucket?.indexOf(value) ?? -1",
    "internal/KeyMap"
  ),
  mutation(
    "a look at a value counts as a use",
    "internal/Cache.ts",
    "this.state.leave(slot, isUse)",
    "this.state.leave(slot)",
    "ResourceCache.several"
  )
]
