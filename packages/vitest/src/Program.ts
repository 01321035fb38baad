/**
 * A program over guards, scopes and a registry as plain data: a list of commands that your interpreter executes one after
 * the other. Numbers choose among the resources that exist at that moment, modulo their count, so that any part of a program
 * is a program, and can be shrunk.
 */
import type { CleanupPriority } from "@patinox/core"
import type { Fault } from "./Fault.js"
import type { RecoveryPlan } from "./RecoveryPlan.js"

/** A guard that a program makes. */
export interface GuardPlan {
  readonly fault: Fault
  /** How long its acquire takes. */
  readonly acquireMillis: number
  /** Whether the acquire can be interrupted. */
  readonly acquireInterruptible: boolean
  readonly priority: CleanupPriority.CleanupPriority
  readonly timeoutMillis: number
  readonly attemptTimeoutMillis: number
  readonly interruptible: boolean
  readonly recovery: RecoveryPlan | undefined
  /** One of the guards made before. */
  readonly dependsOn: number | undefined
  readonly close: "wait" | "background"
}

/** One step of a program. */
export type Command =
  | { readonly _tag: "OpenScope"; readonly parallel: boolean }
  | { readonly _tag: "MakeGuard"; readonly scope: number; readonly guard: GuardPlan }
  | { readonly _tag: "CloseScope"; readonly scope: number; readonly exit: "success" | "failure" | "interruption" }
  /** By so many callers at once. */
  | { readonly _tag: "Cleanup"; readonly guard: number; readonly callers: number }
  | { readonly _tag: "Disarm"; readonly guard: number }
  /** To any scope that ever was, closed ones included. */
  | { readonly _tag: "Transfer"; readonly guard: number; readonly scope: number }
  | {
    readonly _tag: "Schedule"
    readonly guard: number
    readonly priority: CleanupPriority.CleanupPriority | undefined
  }
  /** Takes back what was scheduled. */
  | { readonly _tag: "Unschedule"; readonly scheduled: number }
  | { readonly _tag: "CleanupWhere"; readonly priority: CleanupPriority.CleanupPriority }
  | { readonly _tag: "ForceCleanupAll" }
  /** Borrows the resource until `FinishBorrow`. */
  | { readonly _tag: "Borrow"; readonly guard: number }
  | { readonly _tag: "FinishBorrow"; readonly borrow: number }
  | { readonly _tag: "RetryDeadLetter"; readonly letter: number }
  /** Lets a release that hangs end. */
  | { readonly _tag: "LetGo"; readonly guard: number }
  /** Interrupts a fiber that acquires, closes, borrows or waits. */
  | { readonly _tag: "Interrupt"; readonly fiber: number }
  | { readonly _tag: "Advance"; readonly millis: number }
  | { readonly _tag: "Shutdown" }

/** The registry it runs on, and what it does. */
export interface Program {
  readonly concurrency: number
  readonly shutdownTimeoutMillis: number
  readonly slowAfterMillis: number
  readonly commands: ReadonlyArray<Command>
}

/** One command as one line. */
export const formatCommand = ({ _tag, ...fields }: Command): string =>
  Object.keys(fields).length === 0 ?
    _tag :
    `${_tag} ${JSON.stringify(fields, (_, value: unknown) => value === Infinity ? "Infinity" : value)}`

/**
 * A program as text, one command a line.
 *
 * ```ts
 * import { Program } from "@patinox/vitest"
 *
 * const text = Program.format({
 *   concurrency: 1,
 *   shutdownTimeoutMillis: 25_000,
 *   slowAfterMillis: 1_000,
 *   commands: [{ _tag: "OpenScope", parallel: false }, { _tag: "Shutdown" }]
 * })
 * console.log(text) // =>
 * // concurrency 1, shutdownTimeout 25000 ms, slowAfter 1000 ms
 * // 1. OpenScope {"parallel":false}
 * // 2. Shutdown
 * ```
 */
export const format = ({ commands, concurrency, shutdownTimeoutMillis, slowAfterMillis }: Program): string =>
  [
    `concurrency ${concurrency}, shutdownTimeout ${shutdownTimeoutMillis} ms, slowAfter ${slowAfterMillis} ms`,
    ...commands.map((command, index) => `${index + 1}. ${formatCommand(command)}`)
  ].join("\n")
