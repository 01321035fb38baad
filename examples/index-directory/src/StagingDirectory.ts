/** A directory of our own for what is being made. Goes last: everything else has files in it. */
import { ResourceGuard } from "@patinox/core"
import { Context } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { attemptFile } from "./Errors.js"

export class StagingDirectory
  extends Context.Tag("index-directory/StagingDirectory")<StagingDirectory, { readonly path: string }>()
{}

export const layer = ResourceGuard.layer(
  StagingDirectory,
  attemptFile(tmpdir(), async () => ({ path: await mkdtemp(join(tmpdir(), "patinox-index-")) })),
  ({ path }) => attemptFile(path, () => rm(path, { recursive: true })),
  { priority: "Low" }
)
