/** `@patinox/platform-node`. */
import { mutationsOf } from "./mutation.js"

export const platformNode = mutationsOf("platform-node", [
  {
    what: "an aborted request keeps the fiber of its handler",
    breaks: "fault",
    at: "HttpConnections.ended",
    find: "if (!exchange.response.writableFinished) endUnsent(exchange)",
    replace: "",
    tests: ["NodeHttpServer.aborted"]
  },
  {
    what: "a response cut off by the drain looks complete to its client",
    breaks: "fault",
    at: "HttpConnections.breakOffBegun",
    find: "for (const exchange of exchanges) breakOffAtEnd(exchange, socket)",
    replace: "void [exchanges, socket, breakOffAtEnd]",
    tests: ["NodeHttpServer.cutoff"]
  },
  {
    what: "a process is ready while it shuts down",
    breaks: "P9",
    at: "Main.shutDown",
    find: "yield* this.readiness.drain",
    replace: "",
    tests: ["NodeRuntime.signals"]
  },
  {
    what: "a process that abandoned a fiber exits with 0",
    breaks: "P6",
    at: "Main.shutDown",
    find: "this.isClean = false\n        this.log(LogLevel.Error, Messages.abandoned",
    replace: "this.log(LogLevel.Error, Messages.abandoned",
    tests: ["NodeRuntime.ending"]
  },
  {
    what: "a process with an uncaught error exits with 0",
    breaks: "P6",
    at: "Main.onUncaught",
    find: "this.hasUncaught = true",
    replace: "",
    tests: ["NodeRuntime.uncaught"]
  },
  {
    what: "a process whose program has ended still listens to signals",
    breaks: "P7",
    at: "Main.finish",
    find: "for (const [event, listener] of this.listeners) process.off(event, listener)",
    replace: "",
    tests: ["NodeRuntime.signals"]
  },
  {
    what: "a process exits before its output is written",
    breaks: "fault",
    at: "Main.finish",
    find: "return Stdio.flush(() => this.exitProcess())",
    replace: "return this.exitProcess()",
    tests: ["NodeRuntime.output"]
  },
  {
    what: "the watchdog runs what the process preloads",
    breaks: "fault",
    at: "start",
    find: "execArgv: [],\n    env: {},",
    replace: "",
    tests: ["NodeRuntime.watchdog"]
  },
  {
    what: "an exit by other code during the shutdown is a success",
    breaks: "fault",
    at: "Main.onExit",
    find: "const ours = code === 0 ? 1 : code",
    replace: "const ours = code",
    tests: ["NodeRuntime.reasons"]
  },
  {
    what: "the report of a process leaves out scopes of the program's layers",
    breaks: "fault",
    at: "Cleanups.closing",
    find: "if (scope !== this.after) this.scopes.add(scope)",
    replace: "if (scope === this.scope) this.scopes.add(scope)",
    tests: ["NodeRuntime.inside"]
  },
  {
    what: "a memo map of the application builds its layers again after the program",
    breaks: "fault",
    at: "replaceMemoMaps",
    find: "return this.getOrElseMemoize(layer, scope)",
    replace:
      "const build = this.getOrElseMemoize\n    Reflect.deleteProperty(this, \"getOrElseMemoize\")\n    return build(layer, scope)",
    tests: ["NodeRuntime.inside"]
  }
])
