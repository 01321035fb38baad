/** `@patinox/cache`: what it decides, what it counts, and what ages mean. */
import { mutationsOf } from "./mutation.js"

const mutation = mutationsOf("cache")

export const cacheDecisions = [
  mutation(
    "callers of a cache that ask for the same key have a lookup each",
    "internal/CacheState.ts",
    "    if (existing !== undefined) {\n      const joined",
    "    if (existing?.isDetached === true) {\n      const joined",
    "ResourceCache.sharing"
  ),
  mutation(
    "an old value in a cache is looked up anew for each who asks",
    "internal/CacheState.ts",
    "if (origin !== undefined && this.loads.get(slot.key) === undefined && ",
    "if (origin !== undefined && ",
    "ResourceCache.stale"
  ),
  mutation(
    "a value is looked up anew for who wants only what is there",
    "internal/CacheState.ts",
    "if (origin !== undefined && this.loads",
    "if (this.loads",
    "ResourceCache.stale"
  ),
  mutation(
    "a value that is refreshed over and over in use never takes room",
    "internal/CacheState.ts",
    "return old === undefined || this.exempt.like(keyed) !== undefined",
    "return old === undefined",
    "ResourceCache.capacity"
  ),
  mutation(
    "a value that was refreshed in use once takes room ever after",
    "internal/CacheState.ts",
    "    if (slot.isExempt) this.exempt.delete(slot)\n",
    "",
    "ResourceCache.capacity"
  ),
  mutation(
    "a lookup of a cache that waits for room is forgotten with the first who gives up",
    "internal/CacheState.ts",
    "    if (loading.callers.size > 0) return\n    if",
    "    if (loading.callers.size > 0 && loading.phase !== \"queued\") return\n    if",
    "internal/CacheState.property"
  ),
  mutation(
    "a lookup of a cache is ended though somebody waits for it",
    "internal/CacheState.ts",
    "    if (loading.callers.size > 0) return\n    if",
    "    if (loading.callers.size > 0 && loading.phase !== \"running\") return\n    if",
    "internal/CacheState"
  ),
  mutation(
    "a lookup of a cache goes on that nobody wants any more",
    "internal/CacheState.ts",
    "    else if (loading.phase === \"running\") this.abort(loading)\n",
    "",
    "ResourceCache.sharing"
  ),
  mutation(
    "a lookup of a cache that was ended fails who asks for it before its end",
    "internal/CacheState.ts",
    "loading.phase === \"aborted\" && loading.callers.size > 0 && this.isOpen",
    "false",
    "internal/CacheState"
  ),
  mutation(
    "who asks after an invalidation gets what was being looked up by then",
    "internal/CacheState.ts",
    "const wasComing = this.detach(keyed)",
    "const wasComing = this.loads.like(keyed) !== undefined",
    "ResourceCache.inuse"
  ),
  mutation(
    "a lookup that ends later takes the place of a value that was set",
    "internal/CacheState.ts",
    "    this.detach(slot)\n    const old",
    "    const old",
    "internal/CacheState"
  ),
  mutation(
    "the end of an invalidated lookup forgets the one that came after it",
    "internal/Loads.ts",
    "    this.takeRoom(loading, false)\n    this.current.delete(loading)",
    "    this.takeRoom(loading, false)\n    this.current.delete(this.current.like(loading) ?? loading)",
    "internal/CacheState"
  ),
  mutation(
    "a value that is replaced takes the new one along",
    "internal/CacheState.ts",
    "    if (this.slots.has(slot)) {\n      this.slots.delete(slot)\n",
    "    {\n      this.slots.delete(this.slots.like(slot) ?? slot)\n",
    "ResourceCache"
  ),
  mutation(
    "a value of a cache is released in use when it leaves",
    "internal/CacheState.ts",
    "if (this.retired.has(slot) && slot.users === 0) this.release(slot)",
    "if (this.retired.has(slot)) this.release(slot)",
    "ResourceCache.inuse"
  ),
  mutation(
    "a value that is never kept is released in use",
    "internal/CacheState.ts",
    "if (slot.status === \"retired\" && slot.users === 0) this.release(slot)\n    this.trim()",
    "if (slot.status === \"retired\") this.release(slot)\n    this.trim()",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value that is out of the cache is released with the first who lets go of it",
    "internal/CacheState.ts",
    "    if (slot.users > 0) return\n    if (slot.status === \"retired\")",
    "    if (slot.status === \"retired\")",
    "ResourceCache.inuse"
  ),
  mutation(
    "lookups of a cache that wait for room begin with the last",
    "internal/LookupQueue.ts",
    "const [first] = this.lookups",
    "const first = [...this.lookups].at(-1)",
    "internal/CacheState",
    "ResourceCache.capacity"
  ),
  mutation(
    "a lookup of a cache that waits for room is begun though who asked gave up",
    "internal/Loads.ts",
    "    loading.phase = \"over\"\n    this.queued.delete(loading)\n",
    "    loading.phase = \"over\"\n",
    "ResourceCache.capacity"
  ),
  mutation(
    "a lookup of a cache does not begin when there is room again",
    "internal/CacheState.ts",
    "    if (slot.isExempt) this.exempt.delete(slot)\n    this.makeRoom(now)\n",
    "    if (slot.isExempt) this.exempt.delete(slot)\n",
    "internal/CacheState"
  ),
  mutation(
    "a cache does not count what is being released",
    "internal/Occupancy.ts",
    "this.present + this.coming < this.maxEntries",
    "this.staying + this.coming < this.maxEntries",
    "ResourceCache.capacity"
  ),
  mutation(
    "a cache does not count what is being looked up",
    "internal/Occupancy.ts",
    "this.present + this.coming < this.maxEntries",
    "this.present < this.maxEntries",
    "ResourceCache.capacity"
  ),
  mutation(
    "a lookup of a cache begins though there is no room by weight",
    "internal/Occupancy.ts",
    "this.present + this.coming < this.maxEntries && this.presentWeight < this.maxWeight",
    "this.present + this.coming < this.maxEntries",
    "ResourceCache.weights"
  ),
  mutation(
    "a cache goes on evicting while what it has evicted is being released",
    "internal/Occupancy.ts",
    "this.maxEntries - this.staying - this.coming >= waiting",
    "this.maxEntries - this.present - this.coming >= waiting",
    "ResourceCache.capacity"
  ),
  mutation(
    "a cache that does not wait promises the same room to many",
    "internal/Occupancy.ts",
    "this.busy + this.coming + waiting < this.maxEntries",
    "this.busy + this.coming < this.maxEntries",
    "internal/CacheState"
  ),
  mutation(
    "a cache that does not wait lets who asks wait for weight",
    "internal/Occupancy.ts",
    " && this.busyWeight < this.maxWeight",
    "",
    "internal/CacheState"
  ),
  mutation(
    "a cache that does not wait turns away who wants a value looked up anew",
    "internal/CacheState.ts",
    "if (isFull && this.needsRoom(keyed, old)) return",
    "if (isFull) return",
    "internal/CacheState.property"
  ),
  mutation(
    "a cache does not bound what its values weigh",
    "internal/Occupancy.ts",
    " ||\n      this.stayingWeight - this.replacedWeight > this.maxWeight",
    "",
    "ResourceCache.weights"
  ),
  mutation(
    "a value that fits nowhere pushes the others out of a cache",
    "internal/Occupancy.ts",
    "weight > this.maxWeight ? 0 : by * weight",
    "by * weight",
    "ResourceCache.weights"
  ),
  mutation(
    "a cache keeps a value that is heavier than all may be together",
    "internal/CacheState.ts",
    "return this.isOpen && slot.weight <= this.limits.maxWeight",
    "return this.isOpen",
    "ResourceCache.weights"
  ),
  mutation(
    "somebody else goes for a value that is replaced in use",
    "internal/Occupancy.ts",
    "this.staying - this.replaced + this.coming > this.maxEntries",
    "this.staying + this.coming > this.maxEntries",
    "ResourceCache.capacity"
  ),
  mutation(
    "a cache that exceeds its bounds stays beyond them",
    "internal/CacheState.ts",
    "      this.trim()\n      if (this.queued.size > 0)",
    "      if (this.queued.size > 0)",
    "ResourceCache.capacity"
  ),
  mutation(
    "a value that was in use when its turn came is never evicted",
    "internal/CacheState.ts",
    "        this.policy.unpinned(slot)\n",
    "",
    "internal/CacheState"
  ),
  mutation(
    "a refresh counts as a use of the value",
    "internal/CacheState.ts",
    "if (old !== undefined && isUse) this.policy.used(slot)",
    "if (old !== undefined) this.policy.used(slot)",
    "ResourceCache.capacity"
  ),
  mutation(
    "a removal listener keeps the room of the value that it is told of",
    "internal/CacheState.ts",
    "      slot.isHeard = true\n",
    "",
    "internal/CacheState.property"
  ),
  mutation(
    "a refresh that lost its old value takes no room",
    "internal/Loads.ts",
    "    if (this.running.has(loading)) this.takeRoom(loading, true)\n",
    "",
    "internal/CacheState"
  ),
  mutation(
    "others go from a cache for a refresh that waits for an older value",
    "internal/LookupQueue.ts",
    "this.lookups.size - this.renewing.size",
    "this.lookups.size",
    "ResourceCache.capacity"
  ),
  mutation(
    "a refresh that waits for an older value does not begin when that is gone",
    "internal/CacheState.ts",
    "if (this.mayStart(next, next.old)) this.start(next, now)",
    "if (next.key === undefined) this.start(next, now)",
    "ResourceCache.capacity"
  ),
  mutation(
    "a refresh that lost its old value is not given room",
    "internal/Loads.ts",
    "    this.queued.orphaned(loading)\n",
    "",
    "internal/CacheState.property"
  ),
  mutation(
    "a cache has no timer for what expires",
    "internal/CacheState.ts",
    "    if (this.isTimed || this.agesIdle) this.setTimer(slot)\n",
    "",
    "ResourceCache.expiry"
  ),
  mutation(
    "a cache gives what has expired while its timer is late",
    "internal/CacheState.ts",
    "return !this.isTimed || now < slot.lookAt || this.isGoodAtItsAge(slot, now, origin)",
    "return true",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value that was used again meanwhile never expires for lack of use",
    "internal/CacheState.ts",
    "if (now + 0.5 < Aging.dueAt(slot, this.limits)) return this.setTimer(slot)",
    "if (now + 0.5 < Aging.dueAt(slot, this.limits)) return",
    "ResourceCache.expiry"
  ),
  mutation(
    "a timer that is a fraction of a millisecond early does not make a value expire",
    "internal/CacheState.ts",
    "if (now + 0.5 < Aging.dueAt(",
    "if (now < Aging.dueAt(",
    "internal/CacheState"
  ),
  mutation(
    "a value in use expires for lack of use by its timer",
    "internal/Aging.ts",
    "value.timeToIdle === undefined || value.users > 0\n",
    "value.timeToIdle === undefined\n",
    "ResourceCache.inuse",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value whose timer has come while it was in use never expires for lack of use",
    "internal/CacheState.ts",
    "      if (slot.isUntimed) this.setTimer(slot)\n",
    "",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value that is looked at for longer than it is used expires when that ends",
    "internal/CacheState.ts",
    "(wasUse || slot.isUntimed)",
    "wasUse",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value in use expires for lack of use when somebody asks for it",
    "internal/Aging.ts",
    "value.users === 0 && now >= value.usedAt",
    "now >= value.usedAt",
    "internal/CacheState"
  ),
  mutation(
    "the time to idle begins with the last use, and not after it",
    "internal/CacheState.ts",
    "      if (this.agesIdle && (wasUse || slot.isUntimed)) slot.usedAt = this.host.now()\n",
    "",
    "internal/CacheState"
  ),
  mutation(
    "the pauses of a cache after failed refreshes do not double",
    "internal/Aging.ts",
    "firstPause * 2 ** Math.min(value.failures, 10)",
    "firstPause",
    "internal/CacheState"
  ),
  mutation(
    "the pauses of a cache after failed refreshes have no limit",
    "internal/Aging.ts",
    "Math.min(longestPause, firstPause * 2 ** Math.min(value.failures, 10))",
    "firstPause * 2 ** value.failures",
    "internal/CacheState"
  ),
  mutation(
    "a pause of a cache is as long however near its value's end is",
    "internal/Aging.ts",
    "Math.max(firstPause, Math.min(pause, (last - now) / 2))",
    "pause",
    "ResourceCache.stale"
  ),
  mutation(
    "a failed refresh by hand has a value looked up anew before it is old enough",
    "internal/Aging.ts",
    "Math.max(value.lookAt, now + soon)",
    "now + soon",
    "internal/CacheState"
  ),
  mutation(
    "an expired value is given while it is looked up anew for as long as only errors allow",
    "internal/Aging.ts",
    "now < staleUntil(value, limits.staleWhileRevalidate)",
    "now < lastInstant(value, limits)",
    "ResourceCache.stale"
  ),
  mutation(
    "an expired value is not kept for errors alone",
    "internal/Aging.ts",
    "Math.max(staleWhileRevalidate, staleOnError)",
    "staleWhileRevalidate",
    "ResourceCache.stale"
  ),
  mutation(
    "a kept failure is given for as long as values may be stale",
    "internal/Aging.ts",
    "isFailure ? expiresAt : expiresAt + staleness",
    "expiresAt + staleness",
    "ResourceCache.expiry"
  ),
  mutation(
    "a kept failure is an old value where its key is looked up anew in vain",
    "internal/CacheState.ts",
    " && !old.isFailure && now <",
    " && now <",
    "ResourceCache.expiry"
  ),
  mutation(
    "a value of a refresh that nothing can be done with stays open",
    "internal/CacheState.ts",
    "    this.putAside(failure)\n",
    "    failure.status = \"gone\"\n",
    "ResourceCache.stale"
  ),
  mutation(
    "a value that is set again keeps its old times",
    "internal/CacheState.ts",
    "    slot.expiresAt = given.expiresAt\n",
    "",
    "ResourceCache.release"
  ),
  mutation(
    "weights of fractions leave something behind when all is gone",
    "internal/Occupancy.ts",
    "if (status === \"gone\") return this.settle()",
    "if (status === \"gone\") return",
    "ResourceCache.weights"
  ),
  mutation(
    "a cache goes on with a policy that names who is not there",
    "internal/Eviction.ts",
    "if (victim === undefined || this.entries.get(victim) === false) return victim",
    "return victim",
    "ResourceCache.capacity"
  ),
  mutation(
    "a policy that has failed leaves nobody to be evicted",
    "internal/Eviction.ts",
    "      if (!isPinned) this.policy.added(entry)\n",
    "",
    "ResourceCache.capacity"
  ),
  mutation(
    "a cache gives the old value though it is too old by the end of the lookup",
    "internal/CacheState.ts",
    "const given = caller.takesOld && !isUseless ? old : failure",
    "const given = caller.takesOld ? old : failure",
    "internal/CacheState"
  ),
  mutation(
    "a refresh by hand that fails is told to its caller as a success",
    "internal/CacheState.ts",
    "const given = caller.takesOld && !isUseless ? old : failure",
    "const given = !isUseless ? old : failure",
    "ResourceCache.stale"
  ),
  mutation(
    "a lookup that takes too long gives no old value",
    "internal/CacheState.ts",
    "if (!caller.takesOld || old === undefined || !this.keeps(old, now)) return undefined",
    "return undefined",
    "ResourceCache.stale"
  ),
  mutation(
    "there is no pause after a refresh that took too long",
    "internal/CacheState.ts",
    "    loading.failedFor(old, this.limits, now)\n    this.use(old)",
    "    this.use(old)",
    "ResourceCache.stale"
  ),
  mutation(
    "a refresh whose value is not to be kept leaves the old one",
    "internal/CacheState.ts",
    "    if (!isKept && !loading.isDetached && loading.old?.status === \"cached\") this.retire(loading.old, \"replaced\")\n",
    "",
    "internal/CacheState"
  ),
  mutation(
    "what the registry releases in use is released a second time by the cache",
    "internal/CacheState.ts",
    " else if (slot.status === \"retired\") this.startRelease(slot)",
    "",
    "internal/CacheState.property"
  ),
  mutation(
    "the end of a cache leaves its lookups running",
    "internal/CacheState.ts",
    "if (loading.phase === \"running\") this.abort(loading)\n      else if (",
    "if (",
    "internal/CacheState"
  ),
  mutation(
    "who waits for a cache that is closed hears nothing",
    "internal/CacheState.ts",
    "refused += this.refuse(loading)",
    "refused += loading.callers.size",
    "internal/CacheState"
  ),
  mutation(
    "keys of the same hash are the same key",
    "internal/KeyMap.ts",
    "this.byHash?.get(hash)?.find((other) => isSameKey(other.key, key))",
    "this.byHash?.get(hash)?.[0]",
    "internal/KeyMap"
  ),
  mutation(
    "a key takes those of its hash along",
    "internal/KeyMap.ts",
    "if (bucket.length === 1) this.byHash!.delete(hash)\n    else bucket.splice(index, 1)",
    "this.byHash!.delete(hash)",
    "internal/KeyMap"
  ),
  mutation(
    "keys that are equal are two",
    "internal/KeyMap.ts",
    "    if (index >= 0) bucket[index] = value\n    else {",
    "    {",
    "internal/KeyMap"
  )
]
