export * as TestMonitor from "./TestMonitor.js"
export * as TestResource from "./TestResource.js"
