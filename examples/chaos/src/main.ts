/** The service as a process; `Chaos.ts` starts it, and is its clients, its operator and its bad luck. */
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import { Layer } from "effect"
import * as App from "./App.js"
import * as Faults from "./Faults.js"

const faults = Faults.make(Number(process.env["SEED"]))

NodeRuntime.launch(Layer.provide(App.layer, Faults.layer(faults)), { shutdownTimeout: "20 seconds" })
