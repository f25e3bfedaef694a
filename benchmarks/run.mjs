// `npm run bench`: measures the built command against what was promised, in one run, and prints a table. With `--write` the
// table goes to docs/performance.md, with `--quick` everything is repeated less often; names choose scenarios.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createInstallation } from './installation.mjs'

const scenarios = ['commands', 'reaction', 'many-services', 'many-checks', 'idle']
const page = fileURLToPath(new URL('../docs/performance.md', import.meta.url))
const [tableBegins, tableEnds] = ['<!-- table -->', '<!-- end of table -->']

const options = process.argv.slice(2)
const names = options.filter((option) => !option.startsWith('--'))
const unknown = names.filter((name) => !scenarios.includes(name))
if (unknown.length > 0) {
  console.error(`No such scenario: ${unknown.join(', ')}. There are: ${scenarios.join(', ')}`)
  process.exit(2)
}
if (!existsSync(new URL('../packages/locald/dist/cli.cjs', import.meta.url))) {
  console.error('Nothing is built yet. Run "npm run build" first')
  process.exit(2)
}

const format = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))

const rows = []
for (const name of scenarios.filter((scenario) => names.length === 0 || names.includes(scenario))) {
  const installation = createInstallation()
  try {
    const { measure } = await import(`./scenarios/${name}.mjs`)
    for (const row of await measure({ installation, quick: options.includes('--quick') })) {
      const isMet = row.limit === undefined ? null : row.value <= row.limit
      rows.push({ ...row, isMet })
      const limit = row.limit === undefined ? '' : `${isMet ? 'ok  ' : 'MISS'} at most ${row.limit} ${row.unit}`
      console.log(`${row.what.padEnd(62)} ${format(row.value).padStart(8)} ${row.unit.padEnd(11)} ${limit}`)
    }
  } finally {
    await installation.dispose()
  }
}

if (options.includes('--write')) {
  const [cpu] = cpus()
  const lines = [
    `Node ${process.versions.node}, ${process.platform}, ${cpus().length} × ${cpu?.model.trim()}, ${new Date().toISOString().slice(0, 10)}`,
    '',
    '| what | measured | at most |',
    '|---|---:|---:|',
    ...rows.map(({ what, value, unit, limit, isMet }) => {
      const promised = limit === undefined ? '' : `${limit} ${unit}${isMet ? '' : ' (missed)'}`
      return `| ${what} | ${format(value)} ${unit} | ${promised} |`
    }),
  ]
  const text = readFileSync(page, 'utf8')
  const before = text.slice(0, text.indexOf(tableBegins) + tableBegins.length)
  const after = text.slice(text.indexOf(tableEnds))
  writeFileSync(page, `${before}\n\n${lines.join('\n')}\n\n${after}`)
}
process.exitCode = rows.some((row) => row.isMet === false) ? 1 : 0
