/**
 * A program as the process: from its start over the signal, the close of its scope and the report to the exit code. The
 * order of things is an Effect; the deadline and what comes after it are callbacks, as they have to work when that is stuck.
 */
import * as CleanupReport from "@patinox/core/CleanupReport"
import { ShutdownHost, Text } from "@patinox/core/kernel"
import * as ResourceScope from "@patinox/core/ResourceScope"
import * as Readiness from "@patinox/platform/Readiness"
import { type Reason, Shutdown } from "@patinox/platform/Shutdown"
import {
  Cause,
  type Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  HashMap,
  type Layer,
  Logger,
  LogLevel,
  Scope
} from "effect"
import { constants } from "node:os"
import { Cleanups } from "./Cleanups.js"
import { LimitedLayers } from "./LimitedLayers.js"
import { LoopTurns } from "./LoopTurns.js"
import * as Messages from "./Messages.js"
import * as Plan from "./Plan.js"
import { ProgramFibers } from "./ProgramFibers.js"
import type { Resolved } from "./RunOptions.js"
import * as Seam from "./Seam.js"
import { StartWatch } from "./StartWatch.js"
import * as Stdio from "./Stdio.js"
import * as Watchdog from "./Watchdog.js"

/** How long, after the deadline, the last lines have to get out: within the grace of the watchdog. */
const lastMillis = 250

/** The program, which is given the way in which its layers are built. */
export type Program = (build: Build) => Effect.Effect<unknown, unknown, Scope.Scope>

/** Builds a layer into the scope at hand, each of its parts in a scope with limits. */
type Build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Effect.Effect<Context.Context<A>, E, R | Scope.Scope>

/** What runs one program after the other. */
interface MainHost {
  /** The program has ended, and the process goes on. */
  readonly onEnd: () => void
  /** Whether no other program has been started since. */
  readonly isLast: () => boolean
}

class Main {
  private readonly plan: Plan.Plan
  private readonly startWatch = new StartWatch(this.options.startTimeout, {
    onSlow: (waitsFor, millis) => this.log(LogLevel.Warning, Messages.starting(waitsFor, millis)),
    onTimeout: (waitsFor) => this.startTimedOut(waitsFor)
  })
  private readonly layers = new LimitedLayers(this.options, this.startWatch)
  private readonly cleanups: Cleanups
  private readonly readiness = Effect.runSync(Readiness.make)
  private readonly loggerScope = Effect.runSync(ResourceScope.make())
  private readonly keepAlive = Seam.startKeepAlive()
  private readonly listeners: ReadonlyArray<readonly [event: string, listener: (...args: Array<any>) => void]>
  /** Those of the program, from its first step on. */
  private fibers!: ProgramFibers
  /** Those that the `loggerLayer` has set. */
  private loggerRefs: Seam.Refs | undefined = undefined
  /** How the program ended, as far as it has. */
  private exit: Exit.Exit<unknown, unknown> | undefined = undefined
  private begunAt = 0
  /** What set the shutdown off. */
  private reason: Reason | undefined = undefined
  private closesUntil: number
  private restoreLayers: (() => void) | undefined = undefined
  private deadline: Seam.Timer | undefined = undefined
  private progress: Seam.Timer | undefined = undefined
  private watchdog: Watchdog.Watchdog | undefined = undefined
  private signal: Plan.Received | undefined = undefined
  private readonly turns = new LoopTurns()
  private hasUncaught = false
  /** The fibers should end: what still runs is what holds the shutdown up. */
  private isStopping = false
  private isClean = true
  private isOverdue = false
  private programCode = 0
  /** Nothing is left but to write out what has been logged. */
  private isEnding = false
  private isExiting = false

  constructor(
    private readonly options: Resolved,
    private readonly scope: ResourceScope.ResourceScope,
    private readonly host: MainHost
  ) {
    this.plan = Plan.plan(options.shutdownTimeout, options.readinessDelay)
    this.closesUntil = this.plan.abandonAt
    this.cleanups = new Cleanups(
      scope,
      Effect.runSync(ResourceScope.make({ finalizerTimeout: Duration.infinity })),
      () => this.begunAt === 0 ? undefined : { elapsed: this.elapsed, until: this.closesUntil }
    )
    this.listeners = [
      ...options.signals.filter((signal) => signal in constants.signals).map((signal) =>
        [signal, () => this.onSignal(signal)] as const
      ),
      // Without a channel it never comes.
      ...options.signals.includes("disconnect") ? [["disconnect", () => this.onDisconnect()] as const] : [],
      ["exit", (code: number) => this.onExit(code)],
      ["uncaughtException", (error: unknown) => this.onUncaught("uncaughtException", error)],
      ["unhandledRejection", (reason: unknown) => this.onRejection(reason)]
    ]
  }

  start(program: Program): void {
    for (const [event, listener] of this.listeners) process.on(event, listener)
    if (this.options.limitsLayers) this.restoreLayers = Seam.replaceMemoMaps(() => this.layers.makeMemoMap())
    const isLimited = this.restoreLayers !== undefined || !this.options.limitsLayers
    const effect = isLimited
      ? this.run(program)
      : Effect.andThen(Effect.logWarning(Messages.layersWithoutLimits), this.run(program))
    Seam.fork(effect, Seam.firstRefs(this.options.hasPrettyLogger, this.cleanupWatch))
  }

  /** Begins the same shutdown as a signal. */
  request(message: string | undefined): void {
    if (this.begunAt > 0) return
    Stdio.tolerateLoss()
    const { readinessDelay, shutdownTimeout } = this.options
    // Words of an error, say, that are none.
    const words = message === undefined || typeof message === "string" ? message : Text.unknown(message)
    const reason = { _tag: "Request", message: words } as const
    this.begin(reason)
    this.log(LogLevel.Info, Messages.begun(Messages.why(reason), shutdownTimeout, readinessDelay))
  }

  private startTimedOut(waitsFor: ReadonlyArray<Messages.BuildLine>): void {
    if (this.begunAt > 0) return
    this.isClean = false
    Stdio.tolerateLoss()
    this.begin({ _tag: "StartTimeout", layers: waitsFor.map(({ name }) => name) })
    this.log(LogLevel.Error, Messages.startTimedOut(waitsFor, this.options.startTimeout))
  }

  // --- the program ---------------------------------------------------------------------------------------------------

  private run(program: Program): Effect.Effect<void> {
    const { loggerLayer, reportsErrors } = this.options
    const loggers = loggerLayer === undefined ? Effect.void : Effect.andThen(
      Scope.extend(this.layers.build(loggerLayer, true), this.loggerScope),
      Effect.sync(() => {
        this.loggerRefs = Seam.refsOf(this.fibers.main)
      })
    )
    const provided = Effect.andThen(loggers, Effect.suspend(() => program((layer) => this.layers.build(layer))))
      .pipe(
        Effect.provideService(Scope.Scope, this.scope),
        Effect.provideService(Readiness.Readiness, this.readiness),
        Effect.provideService(ShutdownHost, this.cleanups),
        Effect.provideService(Shutdown, {
          reason: Effect.sync(() => this.reason),
          request: (message) => Effect.sync(() => this.request(message))
        })
      )
    const ended = (exit: Exit.Exit<unknown, unknown>) => {
      this.exit = exit
      const report = Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) && reportsErrors
        ? Effect.catchAllCause(
          Effect.logError(exit.cause),
          () => Effect.sync(() => Stdio.writeNow(Messages.cause(exit.cause)))
        )
        : Effect.void
      // Whether the report succeeds or not.
      return Effect.ensuring(report, Effect.sync(() => this.begin({ _tag: "Ended", exit })))
    }
    return Seam.withFiber((fiber) => {
      this.fibers = new ProgramFibers(fiber)
      // What it ends with is logged out of reach of the interruption that may have ended it.
      return Effect.uninterruptibleMask((restore) => Effect.flatMap(Effect.exit(restore(provided)), ended))
    })
  }

  /**
   * A cleanup that fails for good is logged with its id, whichever scope or registry it is in: this is the one place that
   * hears of those whose scope is not ours to close, as that of a layer which fails to build.
   */
  private readonly cleanupWatch = Logger.make<unknown, void>(({ annotations, logLevel }) => {
    if (this.begunAt === 0 || logLevel !== LogLevel.Error || !HashMap.has(annotations, "patinox.resource.id")) return
    this.isClean = false
  })

  // --- what sets the shutdown off ------------------------------------------------------------------------------------

  /** A shutdown that the program did not ask for ends the process; after its own end the process may end by itself. */
  private get isForced(): boolean {
    return this.signal !== undefined || this.hasUncaught || (this.reason !== undefined && this.reason._tag !== "Ended")
  }

  private onSignal(name: string): void {
    if (this.signal !== undefined) return this.onNextSignal(this.signal, { signal: name, at: this.turns.before })
    this.signal = { signal: name, at: Seam.nowMillis() }
    // As long as the turn decides whether another signal is the first one again.
    this.turns.watch(this.signal.at, Plan.repeatMillis)
    const { readinessDelay, shutdownTimeout } = this.options
    const text = this.begunAt === 0
      ? Messages.begun(name, shutdownTimeout, readinessDelay)
      : Messages.begun(name, shutdownTimeout - this.elapsed, 0)
    Stdio.tolerateLoss()
    this.begin({ _tag: "Signal", signal: name })
    this.log(LogLevel.Info, text)
  }

  private onNextSignal(first: Plan.Received, next: Plan.Received): void {
    if (Plan.isRepeated(first, next)) return
    const code = 128 + constants.signals[next.signal as NodeJS.Signals]
    Stdio.writeNow(Messages.secondSignal(next.signal, first.signal, code, this.left()))
    this.isExiting = true
    Stdio.exit(code)
  }

  /**
   * The parent has gone, or wants to hear no more. That is no second signal, and what comes after it is a first one: a
   * parent that sends a signal and ends sends both, in any order.
   */
  private onDisconnect(): void {
    if (this.begunAt > 0) return
    const { readinessDelay, shutdownTimeout } = this.options
    Stdio.tolerateLoss()
    this.begin({ _tag: "Signal", signal: "disconnect" })
    this.log(LogLevel.Info, Messages.begun("disconnect", shutdownTimeout, readinessDelay))
  }

  /** The process ends, and not by this: what is lost is reported, and is no success. */
  private onExit(code: number): void {
    if (this.isExiting || this.begunAt === 0) return
    if (this.isEnding) {
      if (code === 0) process.exitCode = Plan.exitCode(this.facts)
      return
    }
    const ours = code === 0 ? 1 : code
    process.exitCode = ours
    Stdio.writeNow(Messages.foreignExit(Stdio.callerOfExit(), ours, this.left()))
  }

  private onRejection(reason: unknown): void {
    if (this.options.shutsDownByRejection) this.onUncaught("unhandledRejection", reason)
    else this.log(LogLevel.Error, "unhandledRejection", Cause.die(reason))
  }

  private onUncaught(event: string, error: unknown): void {
    this.hasUncaught = true
    Stdio.tolerateLoss()
    this.begin({ _tag: "Uncaught", event, error })
    const cause = Cause.die(error)
    this.log(LogLevel.Fatal, event, cause)
    // It may be the very error of what the logger writes to.
    if (Stdio.isLost()) Stdio.writeNow(`${event}\n${Messages.cause(cause)}`)
  }

  /** From here on the time runs. */
  private begin(reason: Reason): void {
    if (this.begunAt > 0) return
    this.begunAt = Seam.nowMillis()
    this.reason = reason
    this.startWatch.stop()
    this.fibers.running()
    const { shutdownTimeout } = this.options
    if (shutdownTimeout < Infinity) {
      this.deadline = Seam.startTimer(shutdownTimeout, () => this.reachDeadline())
      if (this.isForced || !Seam.isEmpty(this.scope) || !Seam.isEmpty(this.loggerScope)) this.watch()
    }
    this.reportProgress(0)
    Seam.onEnd(Seam.fork(this.shutDown(), Seam.firstRefs(false)), (exit) => {
      if (Exit.isFailure(exit)) {
        this.isClean = false
        Stdio.writeNow(`The shutdown itself failed: ${Messages.cause(exit.cause)}`)
      }
      this.end()
    })
  }

  private watch(): void {
    const onError = (error: unknown) => this.log(LogLevel.Warning, Messages.watchdogMissing(error))
    try {
      this.watchdog = Watchdog.start(this.options.shutdownTimeout, () => this.exitInside(), onError)
    } catch (error) {
      onError(error)
    }
  }

  // --- the shutdown --------------------------------------------------------------------------------------------------

  private get elapsed(): number {
    return Seam.nowMillis() - this.begunAt
  }

  private shutDown(): Effect.Effect<void> {
    const { closedAt, endAt, interruptAt, abandonAt } = this.plan
    return Effect.gen(this, function*() {
      yield* this.readiness.drain
      if (interruptAt > 0) yield* this.fibers.awaitEnd(interruptAt - this.elapsed)
      this.isStopping = true
      // Seen now, as it hides those that it has to wait for.
      this.fibers.running()
      Seam.interruptLater(this.fibers.main)
      yield* this.fibers.awaitEnd(abandonAt - this.elapsed)
      const stuck = this.fibers.running()
      if (stuck.length > 0) {
        this.isClean = false
        this.log(LogLevel.Error, Messages.abandoned(stuck, this.elapsed - interruptAt))
      }
      const exit = this.exit ??= Exit.interrupt(this.fibers.main.id())
      // As the application has set its fiber up: with its loggers, too, which the close may take away.
      const refs = Seam.refsOf(this.fibers.main)
      this.closesUntil = closedAt
      const report = yield* this.close(this.scope, exit, closedAt, refs)
      if (!Seam.isEmpty(this.cleanups.after)) yield* this.close(this.cleanups.after, exit, closedAt, refs)
      this.reportEnd(this.report ?? report, this.loggerRefs ?? refs)
      if (Seam.isEmpty(this.loggerScope)) return
      const loggers = yield* this.close(this.loggerScope, exit, endAt, Seam.firstRefs(false))
      if (!CleanupReport.isClean(loggers)) {
        this.isClean = false
        Stdio.writeNow(Messages.loggerEnded(loggers))
      }
    })
  }

  private close(scope: ResourceScope.ResourceScope, exit: Exit.Exit<unknown, unknown>, until: number, refs: Seam.Refs) {
    const timeout = Math.max(1, until - this.elapsed)
    return Fiber.join(Seam.fork(
      Effect.provideService(ResourceScope.close(scope, exit, { timeout }), ShutdownHost, this.cleanups),
      refs
    ))
  }

  // --- what it says --------------------------------------------------------------------------------------------------

  private get refs(): Seam.Refs {
    return this.loggerRefs ?? Seam.refsOf(this.fibers.main)
  }

  /** Through the application's logger, in this turn; where that fails, on standard error. */
  private log(level: LogLevel.LogLevel, text: string, cause?: Cause.Cause<unknown>, refs = this.refs): void {
    const line = cause === undefined ? Effect.logWithLevel(level, text) : Effect.logWithLevel(level, text, cause)
    if (Seam.runNow(line, refs)) return
    Stdio.writeNow(cause === undefined ? text : `${text}\n${Messages.cause(cause)}`)
  }

  private left(): Messages.Left {
    return { fibers: this.fibers.running(), report: this.report }
  }

  /** Of all that has been cleaned up since the shutdown began, and of what still is. */
  private get report(): CleanupReport.CleanupReport | undefined {
    return this.cleanups.report(this.plan.interruptAt)
  }

  private reportProgress(n: number): void {
    this.progress = Seam.startTimer(Plan.progressAt(n) - this.elapsed, () => {
      const text = this.isStopping
        ? Messages.progress(this.left(), this.elapsed, this.options.shutdownTimeout)
        : undefined
      // What takes longer than it should is warned of by whoever runs it.
      const isLate = this.elapsed > this.options.shutdownTimeout / 2
      if (text !== undefined) this.log(isLate ? LogLevel.Warning : LogLevel.Info, text)
      this.reportProgress(n + 1)
    })
  }

  /** A program that ends by itself, and cleanly, has nothing to add. */
  private reportEnd(report: CleanupReport.CleanupReport, refs: Seam.Refs): void {
    // What blocks the main thread is not ended by a timer, and may be late all the same.
    const isClean = this.isClean &&= CleanupReport.isClean(report) && this.elapsed <= this.options.shutdownTimeout
    const level = !isClean ? LogLevel.Error : this.isForced ? LogLevel.Info : LogLevel.Debug
    const why = this.signal?.signal ?? (this.hasUncaught ? "an uncaught error" : Messages.why(this.reason!))
    this.log(level, Messages.ended(report, isClean, why, this.elapsed), undefined, refs)
  }

  // --- the deadline --------------------------------------------------------------------------------------------------

  private reachDeadline(): void {
    if (this.isEnding) {
      const bytes = Stdio.pending()
      if (bytes > 0) Stdio.writeNow(Messages.unread(bytes))
      this.isOverdue ||= bytes > 0
      this.exitProcess()
    }
    this.isOverdue = true
    this.log(LogLevel.Error, Messages.deadlinePassed(this.options.shutdownTimeout, this.left()))
    Seam.startTimer(lastMillis, () => this.exitProcess())
    const exit = this.exit ?? Exit.interrupt(this.fibers.main.id())
    // A process that was busy until now has begun its close too late, or not at all: what it holds is still released.
    const last = Effect.andThen(
      ResourceScope.close(this.scope, exit, { timeout: lastMillis / 5 }),
      ResourceScope.close(this.loggerScope, Exit.void, { timeout: lastMillis / 2 })
    )
    Seam.onEnd(Seam.fork(last, Seam.firstRefs(false)), () => Stdio.flush(() => this.exitProcess()))
  }

  /** Called by the watchdog in the middle of what keeps the main thread busy. */
  private exitInside(): void {
    this.isOverdue = true
    this.log(LogLevel.Error, Messages.deadlinePassed(this.options.shutdownTimeout, this.left()))
    // Node would go on to say there that it waits for a debugger, which is the watchdog.
    if (this.isExiting) Stdio.closeErrors()
    else process.once("exit", Stdio.closeErrors)
    this.exitProcess()
  }

  // --- the end -------------------------------------------------------------------------------------------------------

  private get facts(): Plan.Facts {
    const { hasUncaught, isClean, isOverdue, programCode } = this
    return { programCode, isClean, hasUncaught, isOverdue, processCode: Number(process.exitCode ?? 0) || 0 }
  }

  private exitProcess(): never {
    this.isExiting = true
    return Stdio.exit(Plan.exitCode(this.facts))
  }

  private end(): void {
    this.isEnding = true
    this.keepAlive.clear()
    this.progress?.clear()
    this.deadline?.unref()
    try {
      this.options.teardown(this.exit ?? Exit.void, (code) => this.finish(code))
    } catch (error) {
      this.onUncaught("teardown", error)
      this.finish(1)
    }
  }

  private finish(programCode: number): void {
    this.programCode = programCode
    if (this.isForced || Plan.exitCode({ ...this.facts, processCode: 0 }) !== 0) {
      return Stdio.flush(() => this.exitProcess())
    }
    this.deadline?.clear()
    this.watchdog?.stop()
    for (const [event, listener] of this.listeners) process.off(event, listener)
    this.restoreLayers?.()
    this.host.onEnd()
    this.watchLeftOpen()
  }

  /** The program has ended; what it has left open keeps the process alive for as long again, or for the next program. */
  private watchLeftOpen(): void {
    const { shutdownTimeout } = this.options
    if (shutdownTimeout === Infinity) return
    const timer = Seam.startTimer(shutdownTimeout, () => {
      if (!this.host.isLast()) return
      // A reader that takes its time is no leftover.
      if (Stdio.pending() > 0) return Stdio.flush(() => this.watchLeftOpen())
      Stdio.writeNow(Messages.leftOpen(Stdio.activeResources(), shutdownTimeout))
      this.exitProcess()
    })
    timer.unref()
  }
}

/** Runs a program with the scope given, which it closes; calls `host.onEnd` where the process goes on after it. */
export const runProgram = (program: Program, ...args: ConstructorParameters<typeof Main>): Pick<Main, "request"> => {
  const main = new Main(...args)
  main.start(program)
  return main
}
