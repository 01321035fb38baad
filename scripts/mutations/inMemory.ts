/** Gives tests a changed source in place of the real one, which stays as it is. */
import type { Plugin as BundlePlugin } from "esbuild"
import { readFileSync } from "node:fs"
import path from "node:path"
import { fileURLToPath } from "node:url"
import type { Plugin } from "vitest/config"
import { applyEdit, type Edit } from "./edit.js"

/** Names the file that says what is changed at present; it is read at each load, for one process tries many changes. */
export const variable = "PATINOX_MUTATION"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** The changed text of `file`, if it is the one that is changed at present. */
const changedText = (file: string): string | undefined => {
  const note = process.env[variable]
  if (note === undefined) return undefined
  const edit: Edit | null = JSON.parse(readFileSync(note, "utf8"))
  if (edit === null || path.resolve(root, edit.file) !== path.resolve(file)) return undefined
  return applyEdit(readFileSync(file, "utf8"), edit)
}

const isMutating = process.env[variable] !== undefined

/** For Vitest. */
export const mutatedModules: Array<Plugin> = isMutating
  ? [{ name: "mutated-modules", enforce: "pre", load: (id) => changedText(id.split("?")[0]!) ?? null }]
  : []

/** For programs that tests bundle to run them as processes. */
export const mutatedBundles: Array<BundlePlugin> = isMutating
  ? [{
    name: "mutated-bundles",
    setup: (build) => {
      build.onLoad({ filter: /[\\/]packages[\\/].*\.ts$/ }, (args) => {
        const contents = changedText(args.path)
        return contents === undefined ? undefined : { contents, loader: "ts" }
      })
    }
  }]
  : []
