export * as CacheError from "./CacheError.js"
export * as CacheEvent from "./CacheEvent.js"
export * as CachePolicy from "./CachePolicy.js"
export * as ResourceCache from "./ResourceCache.js"
