// Many services: one after the other, and all at once.
import { sum, worst } from '../statistics.mjs'

const server = `
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
createServer((request, response) => response.end('ok')).listen(process.env.PORT)
writeFileSync(process.env.LOCALD_SERVICE + '.at', String(performance.timeOrigin + performance.now()))
`

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
  const ratios = []
  for (let n = 0; n < (quick ? 1 : 3); n += 1) {
    const { ms } = await chain.locald('up')
    const services = await chain.services()
    const own = services.map(({ name, started_at: startedAt }) => chain.time(`${name}.at`) - Date.parse(startedAt))
    ratios.push({ ratio: ms / sum(own), ms, own: sum(own) })
    await chain.locald('stop')
  }
  const best = ratios.sort((a, b) => a.ratio - b.ratio)[Math.floor((ratios.length - 1) / 2)]

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
    { what: `chain of ${length}: sum of the services' own start times`, value: best.own, unit: 'ms' },
    { what: `chain of ${length}: \`up\``, value: best.ms, unit: 'ms' },
    { what: `chain of ${length}: \`up\` ÷ that sum`, value: best.ratio, unit: '×', limit: 1.15 },
    {
      what: `${count} independent services: \`up\` → last one spawned`,
      value: worst(spawned),
      unit: 'ms',
      limit: 1000,
    },
    { what: `${count} independent services: \`stop\``, value: stop.ms, unit: 'ms' },
  ]
}
