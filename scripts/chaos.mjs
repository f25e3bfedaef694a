// `npm run chaos`: the tests of tests/chaos in full. `--seed N` repeats a run, `--daemon-kills N` and `--keeper-kills N` make
// it shorter or longer. Prints its seed and what came of it as a table.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    'daemon-kills': { type: 'string', default: '50' },
    'keeper-kills': { type: 'string', default: '10' },
  },
})
const plan = {
  seed: Number(values.seed),
  daemonKills: Number(values['daemon-kills']),
  keeperKills: Number(values['keeper-kills']),
}
console.log(`Seed ${plan.seed}; to repeat: npm run chaos -- --seed ${plan.seed}`)

const directory = mkdtempSync(join(tmpdir(), 'chaos-'))
const reportFile = join(directory, 'report.json')
const child = spawn(
  process.execPath,
  [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'built', 'tests/chaos'],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, LOCALD_CHAOS: JSON.stringify(plan), LOCALD_CHAOS_REPORT: reportFile },
  },
)
child.on('close', (code) => {
  if (existsSync(reportFile)) console.log(table(JSON.parse(readFileSync(reportFile, 'utf8'))))
  rmSync(directory, { recursive: true })
  process.exitCode = code ?? 1
})

function table({ phases, faults, connections, ...report }) {
  const rows = [
    ...phases.map(({ phase, kills }) => [`killed: ${phase}`, kills]),
    ['looks at a service, each as it had to be', report.looks],
    ['recorded lines compared with what was written', report.lines],
    ['lines of a run that went down with its keeper, at most', report.lostWithKeeper],
    [
      'lines and events that a follower saw, none twice or missing',
      `${report.followedLines}, ${report.followedEvents}`,
    ],
    ['connections: answered, cut off and asked again, refused', Object.values(connectionsOf(connections)).join(', ')],
    ['longest wait for an answer', `${report.worstWaitMs} ms`],
    ['faults', faults.length],
  ]
  const head = `\nSeed ${report.seed}, ${report.seconds} s, Node ${process.version}, ${cpus().length} cores\n\n|  |  |\n|---|---|\n`
  return head + rows.map(([name, value]) => `| ${name} | ${value} |`).join('\n')
}

function connectionsOf({ answered, broken, refused }) {
  return { answered, broken, refused }
}
