// `npm run bench`: measures the built command against what was promised, in one run, and prints tables. With `--write` they
// go to docs/performance.md, with `--quick` everything is repeated less often; names choose scenarios.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createInstallation } from './installation.mjs'

/** Scenarios, and by the name of their table where that is not the first one. */
const logs = 'logs'
const sources = 'health-sources'
const tableOf = { [sources]: sources, logs, 'logs-search': logs, 'take-over': logs, proxy: 'proxy' }
const scenarios = ['commands', 'reaction', 'many-services', 'many-checks', 'idle', ...Object.keys(tableOf)]
const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))

const options = process.argv.slice(2)
const names = options.filter((option) => !option.startsWith('--'))
const unknown = names.filter((name) => !scenarios.includes(name))
if (unknown.length > 0) {
  console.error(`No such scenario: ${unknown.join(', ')}. There are: ${scenarios.join(', ')}`)
  process.exit(2)
}
if (options.includes('--write')) refusePartOfTable()
if (!existsSync(new URL('../packages/locald/dist/cli.cjs', import.meta.url))) {
  console.error('Nothing is built yet. Run "npm run build" first')
  process.exit(2)
}

/** A table is written whole, by one run. */
function refusePartOfTable() {
  const table = (name) => tableOf[name] ?? 'table'
  const missing = scenarios.filter(
    (name) => !names.includes(name) && names.some((other) => table(other) === table(name)),
  )
  if (missing.length === 0) return
  console.error(`With --write a table is replaced as a whole. In this one there are also: ${missing.join(', ')}`)
  process.exit(2)
}

const format = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

/** Null: nothing was promised. */
function isMet({ value, limit, least }) {
  if (limit === undefined && least === undefined) return null
  return value <= (limit ?? Infinity) && value >= (least ?? -Infinity)
}

function promiseOf({ limit, least, unit }) {
  if (limit !== undefined) return `at most ${format(limit)} ${unit}`
  return least === undefined ? '' : `at least ${format(least)} ${unit}`
}

let current = null
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    const leave = () => process.exit(1)
    if (current === null) leave()
    else current.dispose().then(leave, leave)
  })
}

const rows = []
for (const name of scenarios.filter((scenario) => names.length === 0 || names.includes(scenario))) {
  const installation = createInstallation()
  current = installation
  try {
    const { measure } = await import(`./scenarios/${name}.mjs`)
    for (const row of await measure({ installation, quick: options.includes('--quick') })) {
      rows.push({ ...row, table: tableOf[name] ?? 'table' })
      const value = row.skipped === undefined ? `${format(row.value).padStart(8)} ${row.unit.padEnd(11)}` : 'skipped'
      const verdict = row.skipped ?? `${{ true: 'ok  ', false: 'MISS' }[isMet(row)] ?? ''} ${promiseOf(row)}`
      console.log(`${row.what.padEnd(70)} ${value} ${verdict}`)
    }
  } finally {
    current = null
    await installation.dispose()
  }
}

if (options.includes('--write')) {
  const [cpu] = cpus()
  const written = new Set(rows.map(({ table }) => table))
  for (const table of written) {
    const lines = [
      `Node ${process.versions.node}, ${process.platform}, ${cpus().length} × ${cpu?.model.trim()}, ${new Date().toISOString().slice(0, 10)}`,
      '',
      '| what | measured | promised |',
      '|---|---:|---:|',
      ...rows
        .filter((row) => row.table === table)
        .map((row) => {
          const measured = row.skipped === undefined ? `${format(row.value)} ${row.unit}` : `skipped: ${row.skipped}`
          return `| ${row.what} | ${measured} | ${promiseOf(row)}${isMet(row) === false ? ' (missed)' : ''} |`
        }),
    ]
    const [begins, ends] = [`<!-- ${table} -->`, `<!-- end of ${table} -->`]
    const text = readFileSync(page, 'utf8')
    const before = text.slice(0, text.indexOf(begins) + begins.length)
    const after = text.slice(text.indexOf(ends))
    writeFileSync(page, `${before}\n\n${lines.join('\n')}\n\n${after}`)
  }
}
process.exitCode = rows.some((row) => isMet(row) === false) ? 1 : 0
