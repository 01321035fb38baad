// Lets `npm start` and `npm test` work on a fresh clone: installs what the lock file says, unless it is installed.
// It may import nothing but Node itself.
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("..", import.meta.url))

const lockedPackages = (path) => {
  try {
    return JSON.parse(readFileSync(`${root}/${path}`, "utf8")).packages
  } catch {
    return undefined
  }
}

// By content, not by age: a checkout or `npm install` touches the lock file without changing what it asks for.
const isInstalled = () => {
  const wanted = lockedPackages("package-lock.json")
  const installed = lockedPackages("node_modules/.package-lock.json")
  if (wanted === undefined || installed === undefined) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith("node_modules/")) return true
    // An optional package is absent where it does not fit the platform.
    if (installed[path] === undefined) return entry.optional === true || entry.devOptional === true
    return installed[path].version === entry.version
  })
}

if (!isInstalled()) {
  console.log("Installing dependencies (npm ci)")
  const npm = process.env.npm_execpath
  const { status } = npm === undefined
    ? spawnSync("npm ci", { cwd: root, shell: true, stdio: "inherit" })
    : spawnSync(process.execPath, [npm, "ci"], { cwd: root, stdio: "inherit" })
  process.exitCode = status ?? 1
}
