// `npm run check`: format, lint, types, layers, dead code and the shape of the package. Every step runs, whatever the
// others said; the last line counts them. `npm run check -- lint types` runs only those.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const bin = (name) => fileURLToPath(new URL(`../node_modules/.bin/${name}`, import.meta.url))

const steps = [
  { name: 'format', command: [bin('oxfmt'), '--check'], hint: 'npm run format' },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'types', command: [bin('tsc'), '-p', '.', '--pretty', 'false'] },
  { name: 'layers', command: [process.execPath, 'scripts/check-layers.mjs'] },
  { name: 'dead code', command: [bin('knip'), '--no-progress', '--no-config-hints'] },
  { name: 'package', command: [bin('publint'), 'run', 'packages/locald', '--strict', '--pack', 'false'] },
]

/** Runs a step to its end; resolves with its exit code and everything it printed. */
function run({ command: [file, ...args] }) {
  return new Promise((done) => {
    const started = performance.now()
    let output = ''
    const child = spawn(file, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.on('error', (error) => done({ code: 1, output: String(error), seconds: 0 }))
    child.on('close', (code) => done({ code, output, seconds: (performance.now() - started) / 1000 }))
  })
}

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name))
if (unknown.length > 0 || !existsSync(bin('tsc'))) {
  console.error(unknown.length > 0 ? `No such step: ${unknown.join(', ')}` : 'Run "npm ci" first')
  console.error(`Steps: ${steps.map((step) => step.name).join(', ')}`)
  process.exit(2)
}

const chosen = steps.filter((step) => wanted.length === 0 || wanted.includes(step.name))
let failures = 0
for (const step of chosen) {
  const { code, output, seconds } = await run(step)
  const failed = code !== 0
  if (failed) failures += 1
  console.log(`${failed ? 'FAIL' : 'ok  '}  ${step.name.padEnd(10)} ${seconds.toFixed(1).padStart(5)} s`)
  if (failed) console.log(`${output.trim().replace(/^/gmu, '      ')}\n`)
  if (failed && step.hint !== undefined) console.log(`      To repair it: ${step.hint}\n`)
}
console.log(`checks: ${chosen.length - failures} passed, ${failures} failed`)
process.exitCode = failures === 0 ? 0 : 1
