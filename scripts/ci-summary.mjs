// The end of `.ci/run`: counts tests and checks, names what failed, and looks for processes that are left. Its argument is
// the directory with the results; its last line is "N passed, N failed".
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** The only tests that may be skipped: they need data from outside of the repository, or a user who may not read everything. */
const maySkip = [/needs LOCALD_CORPORA/u, ...(process.getuid?.() === 0 ? [/for a file that it may not read$/u] : [])]

const results = process.argv[2]
if (results === undefined) throw new Error('Usage: ci-summary.mjs DIRECTORY')

const passed = []
const failed = []

/** Adds what vitest wrote. A run that wrote nothing, or ended badly with all tests well, is a failure of its own. */
function countTests() {
  const code = readFileSync(join(results, 'tests.code'), 'utf8').trim()
  let report
  try {
    report = JSON.parse(readFileSync(join(results, 'tests.json'), 'utf8'))
  } catch (error) {
    failed.push(`the tests wrote no report: ${error.message}`)
    return
  }
  const before = failed.length
  for (const file of report.testResults) {
    if (file.status === 'failed' && file.assertionResults.length === 0) failed.push(`${file.name}: ${file.message}`)
    for (const test of file.assertionResults) countTest(test)
  }
  if (code !== '0' && failed.length === before) failed.push(`the tests ended with exit code ${code}: see above`)
}

function countTest({ status, fullName }) {
  if (status === 'passed') passed.push(fullName)
  else if (status === 'failed') failed.push(fullName)
  else if (!maySkip.some((pattern) => pattern.test(fullName))) failed.push(`${fullName} (${status})`)
}

function countChecks() {
  const lines = readFileSync(join(results, 'checks.txt'), 'utf8').split('\n')
  const steps = lines
    .map((line) => /^(ok {2}|FAIL) {2}(\S.*?) +[\d.]+ s$/u.exec(line))
    .filter((match) => match !== null)
  if (steps.length === 0) failed.push('the checks did not run')
  for (const [, result, name] of steps) (result === 'FAIL' ? failed : passed).push(`check: ${name}`)
}

/** Processes with the variable that `.ci/run` gave to everything it started, but for those that lead to this one. */
function countLeftovers() {
  const own = new Set()
  for (let pid = process.pid; pid > 1;) {
    own.add(pid)
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    pid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
  }
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || own.has(pid)) continue
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`LOCALD_CI_RUN=${results}`)) continue
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()
      failed.push(`process ${pid} is left: ${command}`)
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended meanwhile, or it is somebody else's.
    }
  }
}

countTests()
countChecks()
countLeftovers()
for (const name of failed) console.log(`failed: ${name}`)
console.log(`${passed.length} passed, ${failed.length} failed`)
process.exitCode = failed.length === 0 ? 0 : 1
