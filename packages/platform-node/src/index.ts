export * as NodeHttpServer from "./NodeHttpServer.js"
export * as NodeRuntime from "./NodeRuntime.js"
