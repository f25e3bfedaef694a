// From the moment a dependency is able to serve to the moment its dependent is spawned. The dependency writes down when it
// became able to; the spawn is the keeper's, and the dependent's own first word is measured besides.
import { median, worst } from '../statistics.mjs'

/** `listen()` without a host binds before it returns: the time after it is the time of the listener, to some microseconds. */
const listener = `
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
const warming = `
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
  writeFileSync('warm', '')
  writeFileSync(process.env.LOCALD_SERVICE + '.at', String(performance.timeOrigin + performance.now()))
}, delay)
`

/** Says when it is ready, over its notify socket. */
const notifying = `
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

const dependent = (name, on) => `[services.${name}]
type = "task"
command = ["/bin/sh", "-c", "date +%s.%N > ${name}.at"]
depends_on = ["${on}"]
`

/** Runs a project once; resolves with both delays of each pair in milliseconds. */
async function reactions(project, pairs) {
  for (const [dependency, after] of pairs) {
    project.forget(`${dependency}.at`)
    project.forget(`${after}.at`)
  }
  project.forget('warm')
  await project.locald('up')
  const services = await project.services()
  await project.locald('stop')
  return pairs.map(([dependency, after]) => {
    const ready = project.time(`${dependency}.at`)
    const { started_at: startedAt } = services.find(({ name }) => name === after)
    return { spawned: Date.parse(startedAt) - ready, ran: project.time(`${after}.at`) * 1000 - ready }
  })
}

async function repeat(times, project, pairs) {
  const all = []
  for (let n = 0; n < times; n += 1) all.push(...(await reactions(project, pairs)))
  return { spawned: all.map(({ spawned }) => spawned), ran: all.map(({ ran }) => ran) }
}

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const times = quick ? 5 : 20
  const node = JSON.stringify(process.execPath)

  const listening = installation.project(
    `[services.db]\ntype = "exec"\ncommand = [${node}, "db.mjs", "200"]\n${dependent('after', 'db')}`,
    { 'db.mjs': listener },
  )
  const tcp = await repeat(times, listening, [['db', 'after']])

  // Five at once, so that ten seconds are waited for once.
  const slowPairs = [0, 1, 2, 3, 4].map((n) => [`db${n}`, `after${n}`])
  const slow = installation.project(
    slowPairs
      .map(
        ([db, after], n) =>
          `[services.${db}]\ntype = "exec"\ncommand = [${node}, "db.mjs", "${10_000 + n * 137}"]\n${dependent(after, db)}`,
      )
      .join(''),
    { 'db.mjs': listener },
  )
  const afterLong = await repeat(1, slow, slowPairs)

  const http = installation.project(
    `[services.web]\ncommand = [${node}, "web.mjs", "400"]\nhealth_check = { type = "http", path = "/" }\n${dependent('after', 'web')}`,
    { 'web.mjs': warming },
  )
  const byHttp = await repeat(times, http, [['web', 'after']])

  const commanded = installation.project(
    `[services.web]\ncommand = [${node}, "web.mjs", "400"]\nhealth_check = { command = "test -e warm" }\n${dependent('after', 'web')}`,
    { 'web.mjs': warming },
  )
  const byCommand = await repeat(quick ? 3 : 10, commanded, [['web', 'after']])

  const notified = installation.project(
    `[services.web]\ncommand = ["python3", "web.py", "200"]\nhealth_check = { type = "notify" }\n${dependent('after', 'web')}`,
    { 'web.py': notifying },
  )
  const byNotify = await repeat(times, notified, [['web', 'after']])

  const ms = 'ms'
  return [
    { what: 'dependency listens → dependent spawned, median', value: median(tcp.spawned), unit: ms, limit: 10 },
    { what: '… worst', value: worst(tcp.spawned), unit: ms, limit: 40 },
    { what: '… median, until the dependent itself runs `date`', value: median(tcp.ran), unit: ms },
    { what: '… after a start of 10 s, median', value: median(afterLong.spawned), unit: ms, limit: 10 },
    { what: '… after a start of 10 s, worst', value: worst(afterLong.spawned), unit: ms, limit: 40 },
    { what: 'http check able to pass → dependent spawned, worst', value: worst(byHttp.spawned), unit: ms, limit: 60 },
    { what: 'READY=1 sent → dependent spawned, median', value: median(byNotify.spawned), unit: ms, limit: 10 },
    { what: '… worst', value: worst(byNotify.spawned), unit: ms, limit: 60 },
    {
      what: 'command check able to pass → dependent spawned, worst',
      value: worst(byCommand.spawned),
      unit: ms,
      limit: 300,
    },
  ]
}
