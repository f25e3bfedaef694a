// Many services: one after the other, and all at once.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { now } from '../installation.mjs'
import { sum, worst } from '../statistics.mjs'

const server = `
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
createServer((request, response) => response.end('ok')).listen(process.env.PORT)
writeFileSync(process.env.LOCALD_SERVICE + '.at', String(performance.timeOrigin + performance.now()))
`

/**
 * How long the chain's programs take from being called until they listen, one after the other and with nothing around them. Each
 * in a session of its own, as a service is: by sessions a busy kernel shares out its processors. With the environment of a
 * service: `NODE_EXTRA_CA_CERTS` alone doubles what Node 20 takes to start, which is a row of its own.
 */
async function bareStarts(chain, environment, length) {
  const times = []
  for (let n = 0; n < length; n += 1) {
    const name = `bare${n}`
    chain.forget(`${name}.at`)
    const startedAt = now()
    const child = spawn(process.execPath, ['server.mjs'], {
      cwd: chain.root,
      env: { ...environment, PORT: '0', LOCALD_SERVICE: name },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    })
    while (!chain.has(`${name}.at`)) await sleep(1)
    child.kill()
    await once(child, 'exit')
    times.push(chain.time(`${name}.at`) - startedAt)
  }
  return times
}

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const node = JSON.stringify(process.execPath)

  const length = 20
  const chain = installation.project(
    Array.from({ length }, (_, n) => {
      const depends = n === 0 ? '' : `depends_on = ["s${n - 1}"]\n`
      return `[services.s${n}]\ntype = "exec"\ncommand = [${node}, "server.mjs"]\n${depends}`
    }).join(''),
    { 'server.mjs': server },
  )
  await chain.locald('up')
  const { variables } = JSON.parse((await chain.locald('env', 's0', '--json')).stdout)
  await chain.locald('stop')
  const environment = Object.fromEntries(variables.map(({ name: key, value }) => [key, value]))
  const ratios = []
  for (let n = 0; n < (quick ? 1 : 3); n += 1) {
    const own = sum(await bareStarts(chain, environment, length))
    const { ms } = await chain.locald('up')
    const services = await chain.services()
    const within = services.map(({ name, started_at: startedAt }) => chain.time(`${name}.at`) - Date.parse(startedAt))
    ratios.push({ ratio: ms / own, ms, own, within: sum(within) })
    await chain.locald('stop')
  }
  const { NODE_EXTRA_CA_CERTS: _roots, ...rootless } = environment
  const ownRootless = sum(await bareStarts(chain, rootless, length))
  const middle = ratios.sort((a, b) => a.ratio - b.ratio)[Math.floor((ratios.length - 1) / 2)]

  const count = 200
  const wide = installation.project(
    Array.from({ length: count }, (_, n) => `[services.s${n}]\ntype = "worker"\ncommand = ["sleep", "1000"]\n`).join(
      '',
    ),
  )
  const { startedAt } = await wide.locald('up')
  const spawned = (await wide.services()).map((service) => Date.parse(service.started_at) - startedAt)
  const stop = await wide.locald('stop')

  return [
    { what: `chain of ${length}: the same programs started bare, one after the other`, value: middle.own, unit: 'ms' },
    { what: '… without `NODE_EXTRA_CA_CERTS`', value: ownRootless, unit: 'ms' },
    { what: '… from spawn to listener under locald, the sum', value: middle.within, unit: 'ms' },
    { what: `chain of ${length}: \`up\``, value: middle.ms, unit: 'ms' },
    { what: `chain of ${length}: \`up\` ÷ that sum`, value: middle.ratio, unit: '×', limit: 1.15 },
    {
      what: `${count} independent services: \`up\` → last one spawned`,
      value: worst(spawned),
      unit: 'ms',
      limit: 1000,
    },
    { what: `${count} independent services: \`stop\``, value: stop.ms, unit: 'ms' },
  ]
}
