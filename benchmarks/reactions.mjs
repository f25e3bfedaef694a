// Services that write down when they become able to serve, and how long after that their dependents are spawned. The dependency's
// clock and the keeper's are those of the same machine.

/** `listen()` without a host binds before it returns: the time after it is the time of the listener, to some microseconds. */
export const listener = `
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const [delay] = process.argv.slice(2).map(Number)
const server = createServer((request, response) => response.end('ok'))
setTimeout(() => {
  server.listen(process.env.PORT)
  const at = performance.timeOrigin + performance.now()
  writeFileSync(process.env.LOCALD_SERVICE + '.at', String(at))
}, delay)
`

/** Listens at once, answers 503 until it has warmed up; a file says the same to a command check. */
export const warming = `
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
const [delay] = process.argv.slice(2).map(Number)
let warm = false
createServer((request, response) => {
  response.statusCode = warm ? 200 : 503
  response.end()
}).listen(process.env.PORT)
setTimeout(() => {
  warm = true
  writeFileSync(process.env.LOCALD_SERVICE + '.warm', '')
  writeFileSync(process.env.LOCALD_SERVICE + '.at', String(performance.timeOrigin + performance.now()))
}, delay)
`

/** Prints a line when it is ready. */
export const telling = `
import { writeFileSync, writeSync } from 'node:fs'
const [delay] = process.argv.slice(2).map(Number)
setTimeout(() => {
  const at = performance.timeOrigin + performance.now()
  writeSync(1, 'accepting connections\\n')
  writeFileSync(process.env.LOCALD_SERVICE + '.at', String(at))
}, delay)
setInterval(() => {}, 1e6)
`

/** Says when it is ready, over its notify socket. */
export const notifying = `
import os, signal, socket, sys, time
time.sleep(float(sys.argv[1]) / 1000)
address = os.environ["NOTIFY_SOCKET"]
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect("\\0" + address[1:] if address[0] == "@" else address)
at = time.time() * 1000
client.send(b"READY=1")
with open(os.environ["LOCALD_SERVICE"] + ".at", "w") as file: file.write(repr(at))
signal.pause()
`

/** A task that notes when it runs. */
export const dependent = (name, on) => `[services.${name}]
type = "task"
command = ["/bin/sh", "-c", "date +%s.%N > ${name}.at"]
depends_on = ["${on}"]
`

/** Runs a project once; resolves with both delays of each pair in milliseconds. */
async function reactions(project, pairs) {
  for (const [dependency, after] of pairs) {
    project.forget(`${dependency}.at`)
    project.forget(`${dependency}.warm`)
    project.forget(`${after}.at`)
  }
  await project.locald('up')
  const services = await project.services()
  await project.locald('stop')
  return pairs.map(([dependency, after]) => {
    const ready = project.time(`${dependency}.at`)
    const { started_at: startedAt } = services.find(({ name }) => name === after)
    return { spawned: Date.parse(startedAt) - ready, ran: project.time(`${after}.at`) * 1000 - ready }
  })
}

/** All delays of several runs. */
export async function repeat(times, project, pairs) {
  const all = []
  for (let n = 0; n < times; n += 1) all.push(...(await reactions(project, pairs)))
  return { spawned: all.map(({ spawned }) => spawned), ran: all.map(({ ran }) => ran) }
}
