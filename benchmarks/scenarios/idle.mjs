// What keeper and daemon cost while nothing happens.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const server = `
import { createServer } from 'node:http'
createServer((request, response) => response.end('ok')).listen(process.env.PORT)
`

/** Nanoseconds on a processor, all threads together. */
function cpuTime(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return tasks.reduce((total, task) => {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    return total + Number(onCpu)
  }, 0)
}

function residentMegabytes(pid) {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}

export async function measure({ installation, quick }) {
  const node = JSON.stringify(process.execPath)
  // Ten that listen, ten that only run: as many kinds of watching as a project has. Six of the ten have a check of their own.
  const listening = Array.from({ length: 10 }, (_, n) => {
    const check = n < 6 ? 'health_check = { type = "http", path = "/" }\n' : 'type = "exec"\n'
    return `[services.web${n}]\ncommand = [${node}, "server.mjs"]\n${check}`
  })
  const workers = Array.from(
    { length: 10 },
    (_, n) => `[services.worker${n}]\ntype = "worker"\ncommand = ["sleep", "1000"]\n`,
  )
  const project = installation.project([...listening, ...workers].join(''), { 'server.mjs': server })
  await project.locald('up')
  const { keeper, daemon } = await installation.server()
  await sleep(quick ? 1000 : 5000) // What the start left to do is not idling.

  const pids = [keeper.pid, daemon.pid]
  const before = pids.map(cpuTime)
  const startedAt = performance.now()
  await sleep(quick ? 5000 : 30_000)
  const elapsed = (performance.now() - startedAt) * 1e6
  const used = pids.map((pid, index) => cpuTime(pid) - before[index])
  const [keeperShare, daemonShare] = used.map((time) => (100 * time) / elapsed)
  const [keeperMemory, daemonMemory] = pids.map(residentMegabytes)
  await project.locald('stop')

  const percent = '% of a core'
  return [
    {
      what: 'idle with 20 healthy services: keeper and daemon',
      value: keeperShare + daemonShare,
      unit: percent,
      limit: 0.5,
    },
    { what: '… of that the keeper', value: keeperShare, unit: percent },
    { what: 'resident memory of the keeper', value: keeperMemory, unit: 'MB', limit: 80 },
    { what: 'resident memory of the daemon', value: daemonMemory, unit: 'MB', limit: 110 },
  ]
}
