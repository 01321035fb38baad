/**
 * `TOKEN=secret DATABASE=/tmp/orders.sqlite node --import tsx --conditions=source examples/service/src/main.ts`: serves until a
 * signal. Not by the command `tsx`, which kills a process that does not tell it of a signal within 60 ms.
 */
import * as NodeRuntime from "@patinox/platform-node/NodeRuntime"
import * as App from "./App.js"

NodeRuntime.launch(App.layer, {
  // The load balancer learns from `/ready` to stop sending: longer than two of its probes take.
  readinessDelay: "2 seconds",
  shutdownTimeout: "25 seconds"
})
