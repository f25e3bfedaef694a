// Checks who imports whom (.dependency-cruiser.cjs), and that this check works: each planted violation must be caught by
// the rule that is meant for it. A checker that reads no modules also finds no violations.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const source = 'packages/locald/src'

/** Each file with the rule that must catch it, or null where all is well. */
const plants = [
  [`${source}/plan/fine.ts`, null, `import { target } from '../config/target.ts'\nexport const a = target\n`],
  [`${source}/lib/up.ts`, 'lib-may-import', `import type { T } from '../daemon/target.ts'\nexport type A = T\n`],
  [
    `${source}/plan/side.ts`,
    'plan-may-import',
    `import { target } from '../keeper/target.ts'\nexport const a = target\n`,
  ],
  [`${source}/cli/lazy.ts`, 'cli-may-import', `export const load = () => import('../supervisor/target.ts')\n`],
  [`${source}/plan/one.ts`, 'no-circular', `import type { B } from './two.ts'\nexport type A = { b: B }\n`],
  [`${source}/plan/two.ts`, 'no-circular', `import type { A } from './one.ts'\nexport type B = { a: A }\n`],
  [`${source}/misc/new.ts`, 'no-unknown-layer', `import { target } from '../lib/target.ts'\nexport const a = target\n`],
  [`${source}/lib/lost.ts`, 'no-unresolvable', `import { b } from './nowhere.ts'\nexport const a = b\n`],
  [
    `${source}/lib/tested.ts`,
    'tests-stay-tests',
    `import { target } from '../../../../tests/support/target.ts'\nexport const a = target\n`,
  ],
  [
    'packages/protocol/src/node.ts',
    'protocol-without-node',
    `import { join } from 'node:path'\nexport const a = join\n`,
  ],
]
const targets = ['lib', 'config', 'keeper', 'supervisor', 'daemon']
  .map((layer) => `${source}/${layer}/target.ts`)
  .concat('tests/support/target.ts')

function cruise(cwd, format) {
  const args = ['packages', '--config', '.dependency-cruiser.cjs', '--output-type', format]
  return spawnSync(join(root, 'node_modules/.bin/depcruise'), args, { cwd, encoding: 'utf8' })
}

/** What the rules say of the planted files: pairs of file and rule. */
function plantedViolations() {
  const tree = mkdtempSync(join(tmpdir(), 'locald-layers-'))
  const write = (name, text) => {
    mkdirSync(dirname(join(tree, name)), { recursive: true })
    writeFileSync(join(tree, name), text)
  }
  try {
    for (const name of ['.dependency-cruiser.cjs', 'tsconfig.json']) cpSync(join(root, name), join(tree, name))
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'))
    for (const name of targets) write(name, 'export const target = 1\nexport type T = 1\n')
    for (const [name, , text] of plants) write(name, text)
    const { violations } = JSON.parse(cruise(tree, 'json').stdout).summary
    return violations.map((violation) => [violation.from, violation.rule.name])
  } finally {
    rmSync(tree, { recursive: true, force: true })
  }
}

let failed = false
const found = plantedViolations()
for (const [file, rule] of plants) {
  const rules = found.filter(([from]) => from === file).map(([, name]) => name)
  // A cycle is reported at one of its files only.
  const caught = rule === 'no-circular' ? found.some(([, name]) => name === rule) : rules.includes(rule)
  if (rule === null ? rules.length === 0 : caught) continue
  failed = true
  console.log(`Planted in ${file}: expected ${rule ?? 'no violation'}, got ${rules.join(', ') || 'no violation'}`)
}

const real = cruise(root, 'err')
if (real.status !== 0) {
  failed = true
  console.log(`${real.stdout}${real.stderr}`)
}
if (!failed) {
  const caught = plants.filter(([, rule]) => rule !== null).length
  console.log(`${caught} planted violations caught; ${real.stdout.trim().replace(/^✔ /u, '')}`)
}
process.exitCode = failed ? 1 : 0
