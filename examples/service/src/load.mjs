/**
 * Load from a process of its own, as it comes through a load balancer: keep-alive connections that place orders and read
 * them again for as long as `/ready` says so. At its end it prints the outcome of the requests as a line of JSON.
 * `node examples/service/src/load.mjs http://127.0.0.1:3000 [connections]`
 */
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { setTimeout } from "node:timers/promises"

const [url, connections = "16"] = process.argv.slice(2)
const agent = new Agent({ keepAlive: true })
const counts = { sent: 0, answered: 0, reset: 0, refused: 0 }
const statuses = {}

/** One request: its status and content, or nothing where there was no answer. */
const ask = (method, path, body, options = { agent }) =>
  new Promise((resolve) => {
    const question = request(url + path, { method, headers: { "content-type": "application/json" }, ...options })
    // Nothing is sent before there is a connection; a kept connection is there already.
    let isSent = false
    const sent = () => {
      isSent = true
      counts.sent++
    }
    const lost = () => {
      if (isSent) counts.reset++
      else counts.refused++
      resolve({})
    }
    question.once("socket", (socket) => socket.connecting ? socket.once("connect", sent) : sent())
    question.once("error", lost)
    question.once("response", (response) => {
      let text = ""
      response.setEncoding("utf8").on("data", (part) => (text += part)).once("error", lost)
      response.once("end", () => {
        const { statusCode: status } = response
        counts.answered++
        statuses[status] = (statuses[status] ?? 0) + 1
        if (counts.answered === 300) console.log("300 answered")
        resolve({ status, content: text })
      })
    })
    question.end(body)
  })

/** What the balancer knows of the service. */
const service = { isReady: true }

const order = JSON.stringify({ item: "tea", quantity: 2 })
const client = async () => {
  while (service.isReady) {
    const { content, status } = await ask("POST", "/orders", order)
    if (status === 201 && service.isReady) await ask("GET", `/orders/${JSON.parse(content).id}`)
  }
}

const balancer = async () => {
  while (service.isReady) {
    service.isReady = (await ask("GET", "/ready", undefined, { agent: false })).status === 200
    await setTimeout(50)
  }
}

/** Whether somebody listens; sends nothing. */
const isOpen = () =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })

await Promise.all([balancer(), ...Array.from({ length: Number(connections) }, client)])
agent.destroy()
const since = performance.now()
while (await isOpen()) await setTimeout(20)
console.log(JSON.stringify({ ...counts, statuses, openMillis: Math.round(performance.now() - since) }))
