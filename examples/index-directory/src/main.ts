/** `npm start`: see `--help`. */
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { parse } from "./Args.js"

const command = parse(process.argv.slice(2), {
  // Where npm was called, when it was npm.
  cwd: process.env["INIT_CWD"] ?? process.cwd(),
  directory: resolve(import.meta.dirname, "../../.."),
  target: join(tmpdir(), "patinox-index.sqlite")
})

switch (command._tag) {
  case "Help":
    console.log(command.text)
    break
  case "Wrong":
    console.error(`index-directory: ${command.message}\nSee npm start -- --help`)
    process.exitCode = 2
    break
  case "Run": {
    // Only now: a help text should not wait for a whole application to load.
    const { launch } = await import("./launch.js")
    launch(command.settings)
  }
}
