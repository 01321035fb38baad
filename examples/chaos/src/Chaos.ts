/**
 * Bad luck for a service, and a count of what came of it, from outside: the service runs as a process of its own; this one
 * is its clients, its operator and its database's administrator. A round is one life of the service, with its own seed.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { Client } from "pg"
import { postgres } from "../../../scripts/testing/postgres.js"
import { bundle, type Ended, Process } from "../../process/src/Process.js"
import { random } from "./random.js"

/** What a round saw. `wrong` is empty where everything held. */
export interface Round {
  readonly seed: number
  /** Signalled under load and faults, or once it had healed. */
  readonly ending: "calm" | "under load"
  readonly wrong: ReadonlyArray<string>
  /** How often what happened. */
  readonly met: Readonly<Record<string, number>>
  readonly output: string
}

const accountCount = 10
const initialBalance = 1_000
const clients = 12

interface Answer {
  readonly status: number
  readonly body: any
}

/** An answer, or undefined where the request was given up, refused or cut off. */
const ask = (agent: Agent, url: string, giveUpAfter?: number): Promise<Answer | undefined> =>
  new Promise((resolve) => {
    const asked = request(url, { agent }, (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (data) => text += data)
      response.on("error", () => resolve(undefined))
      response.on("end", () => {
        if (!response.complete) return resolve(undefined)
        try {
          resolve({ status: response.statusCode!, body: JSON.parse(text) })
        } catch {
          resolve({ status: response.statusCode!, body: undefined })
        }
      })
    })
    asked.on("error", () => resolve(undefined))
    asked.on("close", () => resolve(undefined))
    asked.end()
    if (giveUpAfter !== undefined) setTimeout(() => asked.destroy(), giveUpAfter)
  })

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const until = async (holds: () => boolean | Promise<boolean>, millis: number): Promise<boolean> => {
  for (const end = performance.now() + millis; performance.now() < end; await pause(50)) if (await holds()) return true
  return holds()
}

/** The database as its administrator sees it: a schema for each round. */
class Administrator {
  readonly client = new Client(postgres)

  constructor(readonly name: string) {}

  async open(): Promise<void> {
    await this.client.connect()
    await this.client.query(`
      CREATE SCHEMA ${this.name};
      SET search_path TO ${this.name};
      CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
      CREATE TABLE ledger (nonce text PRIMARY KEY, source int NOT NULL, target int NOT NULL, amount int NOT NULL);
      INSERT INTO accounts SELECT n, ${initialBalance} FROM generate_series(1, ${accountCount}) AS n;
    `)
  }

  async close(): Promise<void> {
    await this.client.query(`DROP SCHEMA IF EXISTS ${this.name} CASCADE`)
    await this.client.end()
  }

  async rows<A>(sql: string, values: ReadonlyArray<unknown> = []): Promise<ReadonlyArray<A>> {
    return (await this.client.query(sql, [...values])).rows
  }

  connections(): Promise<ReadonlyArray<{ readonly pid: number; readonly state: string; readonly query: string }>> {
    return this.rows("SELECT pid, state, query FROM pg_stat_activity WHERE application_name = $1", [this.name])
  }

  /** Ends one connection of the service's, if it has any. */
  async cut(choice: number): Promise<boolean> {
    const pids = (await this.connections()).map(({ pid }) => pid)
    if (pids.length === 0) return false
    await this.rows("SELECT pg_terminate_backend($1)", [pids[Math.floor(choice * pids.length)]])
    return true
  }
}

class Life {
  readonly wrong: Array<string> = []
  readonly met: Record<string, number> = {}
  readonly done = new Map<string, { readonly from: number; readonly to: number; readonly amount: number }>()
  private readonly sent = new Set<string>()
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 64 })
  private readonly next: () => number
  private requests = 0
  isLoading = true
  isStriking = true

  constructor(private readonly seed: number, readonly url: string, private readonly administrator: Administrator) {
    this.next = random(seed ^ 0x5bd1e995)
  }

  count(what: string): void {
    this.met[what] = (this.met[what] ?? 0) + 1
  }

  private blame(what: string): void {
    if (this.wrong.length < 20) this.wrong.push(what)
  }

  private upTo(n: number): number {
    return 1 + Math.floor(this.next() * n)
  }

  /** One request: what it asks, and what is wrong with an answer to it. */
  private question(): {
    readonly path: string
    readonly check: (body: any) => string | undefined
    readonly nonce: string
  } {
    const nonce = `${this.seed}-${++this.requests}`
    const kind = this.upTo(5)
    switch (kind) {
      case 1: {
        const [from, to, amount] = [this.upTo(accountCount), this.upTo(accountCount), this.upTo(50)]
        this.sent.add(nonce)
        return {
          nonce,
          path: `/transfer?from=${from}&to=${to}&amount=${amount}`,
          check: (body) => {
            this.done.set(nonce, { from, to, amount })
            return body.done === true ? undefined : "it is not done"
          }
        }
      }
      case 2: {
        const account = this.upTo(accountCount)
        return {
          nonce,
          path: `/balance?account=${account}`,
          check: (body) => body.account === account && Number.isInteger(body.balance) ? undefined : "another account's"
        }
      }
      case 3: {
        const n = this.upTo(1_000)
        return {
          nonce,
          path: `/square?n=${n}`,
          check: (body) => body.id === nonce && body.square === n * n ? undefined : "another question's"
        }
      }
      case 4: {
        const id = this.upTo(40)
        return {
          nonce,
          path: `/profile?id=${id}`,
          check: (body) =>
            body.text !== `profile ${id}` ? "another profile" : body.wasOpen ? undefined : "closed while in use"
        }
      }
      default:
        return { nonce, path: "/credentials", check: (body) => body.isValid ? undefined : "revoked while in use" }
    }
  }

  async ask(giveUp: boolean): Promise<Answer | undefined> {
    const { check, nonce, path } = this.question()
    const giveUpAfter = giveUp ? this.upTo(20) : undefined
    const url = `${this.url}${path}${path.includes("?") ? "&" : "?"}nonce=${nonce}`
    const answer = await Promise.race([ask(this.agent, url, giveUpAfter), pause(30_000, "hung" as const)])
    if (answer === "hung") {
      this.blame(`${path} has had no answer for 30 s`)
      return undefined
    }
    this.count(answer === undefined ? giveUp ? "given up" : "cut off" : `status ${answer.status}`)
    if (answer?.status === 200) {
      const wrong = answer.body?.nonce === nonce ? check(answer.body) : "the answer to another request"
      if (wrong !== undefined) this.blame(`${path} with ${nonce} got ${JSON.stringify(answer.body)}: ${wrong}`)
    } else if (answer !== undefined && answer.status !== 503) {
      this.blame(`${path} was answered with ${answer.status} ${JSON.stringify(answer.body)}`)
    }
    return answer
  }

  async load(): Promise<void> {
    await Promise.all(Array.from({ length: clients }, async () => {
      while (this.isLoading) {
        const answer = await this.ask(this.next() < 0.15)
        if (answer === undefined) await pause(5)
      }
    }))
  }

  /** Connections are cut and children killed, one at a time. */
  async strike(pids: () => ReadonlyArray<number>): Promise<void> {
    while (this.isStriking) {
      await pause(this.upTo(500))
      if (this.next() < 0.6) {
        if (await this.administrator.cut(this.next())) this.count("connections cut")
      } else {
        const alive = pids().filter(isRunning)
        const victim = alive[Math.floor(this.next() * alive.length)]
        if (victim !== undefined) {
          process.kill(victim, "SIGKILL")
          this.count("children killed")
        }
      }
    }
  }

  faults(on: 0 | 1): Promise<Answer | undefined> {
    return ask(this.agent, `${this.url}/faults?on=${on}`)
  }

  /** With no more faults, everything works again: each kind of request, many times in a row. */
  async heals(): Promise<void> {
    const calm = await this.faults(0)
    const { nonce, ...met } = calm?.body ?? {}
    for (const [what, times] of Object.entries<number>(met)) this.met[what] = times
    let inARow = 0
    const healed = await until(async () => {
      inARow = (await this.ask(false))?.status === 200 ? inARow + 1 : 0
      while (inARow > 0 && inARow < 50) inARow = (await this.ask(false))?.status === 200 ? inARow + 1 : 0
      return inARow >= 50
    }, 20_000)
    if (!healed) this.blame("it has not healed within 20 s without faults")
    const isQuiet = ({ calculators, database }: any) =>
      database.inUse + database.waiting + database.creating + calculators.inUse + calculators.waiting === 0
    let state: any
    const quiet = await until(async () => {
      state = (await ask(this.agent, `${this.url}/state`))?.body
      return state !== undefined && isQuiet(state)
    }, 10_000)
    if (!quiet) this.blame(`something is lost in a pool: ${JSON.stringify(state)}`)
    const { abandoned, cleaned, disarmed, failed, live, recovered, registered } = state?.accounts ?? {}
    if (registered !== live + cleaned + recovered + failed + abandoned + disarmed) {
      this.blame(`the accounts do not add up: ${JSON.stringify(state?.accounts)}`)
    }
    if (state?.database.total > 6 || state?.calculators.total > 3) this.blame(`too many: ${JSON.stringify(state)}`)
  }

  close(): void {
    this.agent.destroy()
  }

  /** The database has what was answered, once, and nothing by halves. */
  async checkTotals(): Promise<void> {
    const ledger = await this.administrator.rows<{ nonce: string; source: number; target: number; amount: number }>(
      "SELECT nonce, source, target, amount FROM ledger"
    )
    const balances = new Map(Array.from({ length: accountCount }, (_, n) => [n + 1, initialBalance]))
    for (const { amount, nonce, source, target } of ledger) {
      if (!this.sent.has(nonce)) this.blame(`the ledger has ${nonce}, which nobody sent`)
      balances.set(source, balances.get(source)! - amount)
      balances.set(target, balances.get(target)! + amount)
    }
    const entries = new Map(ledger.map((entry) => [entry.nonce, entry]))
    for (const [nonce, { amount, from, to }] of this.done) {
      const entry = entries.get(nonce)
      if (entry === undefined) this.blame(`${nonce} was answered as done, and is lost`)
      else if (entry.source !== from || entry.target !== to || entry.amount !== amount) {
        this.blame(`${nonce} is another`)
      }
    }
    const accounts = await this.administrator.rows<{ id: number; balance: string }>("SELECT id, balance FROM accounts")
    for (const { balance, id } of accounts) {
      if (Number(balance) !== balances.get(id)) this.blame(`account ${id} has ${balance}, not ${balances.get(id)}`)
    }
    this.met["transfers in the ledger"] = ledger.length
  }
}

interface RoundOptions {
  readonly seed: number
  /** For how long there are load and faults. */
  readonly millis: number
  /** The bundled service, and the child that it starts. */
  readonly script: string
  readonly folder: string
}

const checkEnd = (life: Life, ended: Ended, ending: Round["ending"], millis: number): void => {
  const { wrong } = life
  const { code, stderr, stdout } = ended
  if (code !== 0 && code !== 1) wrong.push(`it ended with ${code}`)
  if (millis > 25_000) wrong.push(`it took ${Math.round(millis)} ms to end`)
  if (/unhandledRejection|uncaughtException|Unhandled/i.test(stdout + stderr)) wrong.push("something was unhandled")
  // Loggers that throw may take the report with them; once it is calm there are none.
  if (ending !== "calm") return
  const report = /Shut down in .* after SIGTERM(, not cleanly)?/.exec(stdout)
  if (report === null) return void wrong.push("there is no report")
  if ((report[1] === undefined) !== (code === 0)) wrong.push(`it ended with ${code}, and its report says: ${report[0]}`)
}

/** One life of the service, from its start to what it leaves behind. */
const round = async ({ folder, millis, script, seed }: RoundOptions): Promise<Round> => {
  const next = random(seed)
  const ending = seed % 2 === 0 ? "calm" : "under load"
  const isDoubled = seed % 4 < 2
  const name = `chaos_${process.pid}_${seed}`
  const files = mkdtempSync(join(tmpdir(), "chaos-files-"))
  const pids = join(folder, `pids-${seed}`)
  writeFileSync(pids, "")
  const readPids = () => readFileSync(pids, "utf8").split("\n").filter((line) => /^\d+$/.test(line)).map(Number)
  const administrator = new Administrator(name)
  await administrator.open()
  const service = new Process([process.execPath, script], {
    APPLICATION: name,
    CALCULATOR: join(folder, "calculator.mjs"),
    FILES: files,
    PIDS: pids,
    SEED: String(seed)
  })
  try {
    const [, url] = await service.printed(/Listening on (http:\S+)/)
    const life = new Life(seed, url!, administrator)
    await life.faults(1)
    const loading = life.load()
    const striking = life.strike(readPids)
    await pause(millis)
    if (ending === "calm") {
      life.isLoading = false
      life.isStriking = false
      await Promise.all([loading, striking])
      await life.heals()
    }
    const from = performance.now()
    service.kill("SIGTERM")
    if (isDoubled) {
      await pause(next() * 200)
      // Later than that it may be taken for a second one.
      if (performance.now() - from < 400) {
        service.kill("SIGTERM")
        life.count("signals doubled")
      }
    }
    const ended = await Promise.race([service.ended, pause(40_000, undefined)])
    life.isLoading = false
    life.isStriking = false
    await Promise.all([loading, striking])
    life.close()
    if (ended === undefined) life.wrong.push("it has not ended 40 s after the signal")
    else checkEnd(life, ended, ending, performance.now() - from)

    const noConnections = async () => (await administrator.connections()).length === 0
    if (!(await until(noConnections, 10_000))) {
      life.wrong.push(`connections are left: ${JSON.stringify(await administrator.connections())}`)
    }
    const left = readPids().filter(isRunning)
    if (left.length > 0) life.wrong.push(`child processes are left: ${left.join(", ")}`)
    if (readdirSync(files).length > 0) life.wrong.push(`files are left: ${readdirSync(files).join(", ")}`)
    await life.checkTotals()
    const output = ended === undefined ? "" : ended.stdout + ended.stderr
    return { seed, ending, wrong: life.wrong, met: life.met, output }
  } finally {
    service.killGroup("SIGKILL")
    for (const pid of readPids().filter(isRunning)) process.kill(pid, "SIGKILL")
    rmSync(files, { recursive: true, force: true })
    await administrator.close()
  }
}

const calculator = fileURLToPath(new URL("calculator.mjs", import.meta.url))

/** Rounds until the time is over, each with the seed after the last one's; `told` is called after each. */
export const chaos = async (
  options: { readonly seed: number; readonly millis: number; readonly roundMillis: number; readonly folder: string },
  told: (round: Round) => void
): Promise<void> => {
  const { folder, millis, roundMillis, seed } = options
  const script = join(folder, "main.mjs")
  if (!existsSync(script)) await bundle(new URL("main.ts", import.meta.url), script)
  writeFileSync(join(folder, "calculator.mjs"), readFileSync(calculator))
  const end = performance.now() + millis
  for (let n = 0; n === 0 || performance.now() < end; n++) {
    told(await round({ seed: seed + n, millis: roundMillis, script, folder }))
  }
}
