// A daemon of today under the keeper of the first version, which may have been running ever since.
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ServiceSnapshot } from '@locald/protocol'
import { expect, test } from 'vitest'
import { daemonPid, isRunning, keeperPid } from '../chaos/processes.ts'
import { startCli } from '../support/cli.ts'
import type { CliResult } from '../support/cli.ts'
import { createHarness } from '../support/harness.ts'
import { installCopy } from '../support/installed-copy.ts'

const firstKeeper = fileURLToPath(new URL('first-keeper/keeper.cjs.txt', import.meta.url))

test('the daemon takes over from the first keeper, restarts under it, and stops everything', async () => {
  await using harness = createHarness()
  const installed = join(harness.home, '../first')
  const command = installCopy(installed)
  cpSync(firstKeeper, join(installed, 'dist/keeper.cjs'))
  const project = harness.project({
    'locald.toml': `[services.web]
command = "echo hello; exec python3 -m http.server --bind 127.0.0.1 $PORT"
[services.job]
type = "worker"
command = "i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.1; done"
tty = false
depends_on = ["web"]
[services.crasher]
type = "worker"
command = "sleep 1.5; exit 3"
`,
  })
  const locald = (...args: readonly string[]): Promise<CliResult> =>
    startCli(args, { cwd: project.directory, env: harness.env, command }).ended
  expect(await locald('up')).toMatchObject({ code: 0 })
  expect(readFileSync(join(harness.home, 'state/keeper.log'), 'utf8')).toContain('The keeper is ready')
  const keeper = keeperPid(harness.home)
  const before = await project.status()
  process.kill(daemonPid(keeper) ?? 0, 'SIGKILL')
  const crashed = await project.waitFor('crasher', ({ restarts, state }) => restarts === 1 && state === 'running')
  expect(crashed.exit).toMatchObject({ code: 3, signal: null })
  expect(await locald('server', 'restart')).toMatchObject({ code: 0 })
  const seen = ({ name, pid, port, run }: ServiceSnapshot): unknown => ({ name, pid, port, run })
  const lasting = (services: readonly ServiceSnapshot[]): readonly unknown[] =>
    services.filter(({ name }) => name !== 'crasher').map(seen)
  expect(lasting((await project.status()).services)).toEqual(lasting(before.services))
  const ticks = await project.lines('job')
  expect(ticks).toEqual(ticks.map((_, index) => `tick ${index + 1}`))
  expect(ticks.length).toBeGreaterThan(10)
  expect(await locald('restart', 'web')).toMatchObject({ code: 0 })
  expect(await locald('stop')).toMatchObject({ code: 0 })
  for (const { pid } of before.services) expect(isRunning(pid ?? 0)).toBe(false)
  expect(keeperPid(harness.home)).toBe(keeper)
})
