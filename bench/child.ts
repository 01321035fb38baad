/** The process of one job of `inChild`. */
import type { Job } from "./inChild.js"

process.once("message", async ({ args, module, name }: Job) => {
  const { [name]: named } = await import(module)
  const value = await (typeof named === "function" ? named(...args) : named.measure(...args))
  // What still runs or waits is of no interest any more.
  process.send!({ value }, undefined, undefined, () => process.exit(0))
})
