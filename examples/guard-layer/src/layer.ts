/** The same in one step: `ResourceGuard.layer`, here with another way to release the log when its disk is full. */
import { ResourceGuard } from "@patinox/core"
import type { Effect } from "effect"
import { close, LogFile, type LogFileError, open } from "./LogFile.js"

export const LogFileLive = (
  path: string,
  rescue: (lines: ReadonlyArray<string>) => Effect.Effect<void, LogFileError>
) =>
  ResourceGuard.layer(LogFile, open(path), close(path), {
    timeout: "2 seconds",
    recovery: { fallback: ({ lines }) => rescue(lines) }
  })
