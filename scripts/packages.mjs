// The publishable packages, and their tarballs as a user would get them.
import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("..", import.meta.url)).replace(/[\\/]$/, "")

export const packages = readdirSync(`${root}/packages`).sort().map((folder) => {
  const directory = `${root}/packages/${folder}`
  const { name } = JSON.parse(readFileSync(`${directory}/package.json`, "utf8"))
  return { directory, folder, name }
})

/** Packs what is built into `destination`; gives each package with the path of its tarball. */
export const pack = (destination) => {
  mkdirSync(destination, { recursive: true })
  return packages.map((entry) => {
    const output = execFileSync("npm", ["pack", "--json", "--loglevel=error", "--pack-destination", destination], {
      cwd: entry.directory,
      encoding: "utf8",
      shell: process.platform === "win32",
      stdio: ["ignore", "pipe", "inherit"]
    })
    const [{ filename, files }] = JSON.parse(output)
    return { ...entry, tarball: `${destination}/${filename}`, files: files.map(({ path }) => path) }
  })
}
