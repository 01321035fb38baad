export * as PoolError from "./PoolError.js"
export * as PoolEvent from "./PoolEvent.js"
export * as ResourcePool from "./ResourcePool.js"
