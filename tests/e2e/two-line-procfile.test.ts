// The first promise: a directory with nothing but a two-line Procfile.
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import { findLeftovers } from '../support/leftovers.ts'
import { listeningPorts } from '../support/listeners.ts'

const procfile = `web: python3 -m http.server $PORT
worker: while true; do echo working; sleep 1; done
`

test('a two-line Procfile comes up healthy, answers, logs, and leaves nothing', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: procfile })

  const up = await project.up()
  expect(up.stdout).toMatch(/web\b.*\bhealthy\b.*\btcp\b/u)
  expect(up.stdout).toMatch(/worker\b.*\bhealthy\b.*\bprocess\b/u)

  const status = await project.status()
  expect(status.services.map(({ name, state, health }) => ({ name, state, health }))).toEqual([
    { name: 'web', state: 'running', health: expect.objectContaining({ status: 'healthy', source: 'tcp' }) },
    { name: 'worker', state: 'running', health: expect.objectContaining({ status: 'healthy', source: 'process' }) },
  ])
  const web = await project.service('web')
  expect(web.port).toBeGreaterThanOrEqual(20_000)
  const { proxy } = await harness.serverStatus()
  expect(web.url).toMatch(new RegExp(`^http://[a-z0-9-]+\\.localhost:${proxy?.http}$`))
  const answer = await fetch(`http://127.0.0.1:${web.port}/`)
  expect(await answer.text()).toContain('Procfile')

  let lines = ''
  // It prints one a second.
  for (const deadline = Date.now() + 10_000; Date.now() < deadline; await sleep(100)) {
    lines = (await project.locald('logs', 'worker', '-n', '3')).stdout
    if (lines.match(/working/gu)?.length === 3) break
  }
  expect(lines.trimEnd().split('\n')).toHaveLength(3)
  expect(lines.match(/working/gu)).toHaveLength(3)

  expect((await project.locald('stop')).code).toBe(0)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
  expect(listeningPorts()).not.toContain(web.port)
})

test('`up` on a running project changes nothing', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: procfile })
  await project.up()
  const before = (await project.status()).services.map((service) => service.pid)
  expect(before).not.toContain(null)
  await project.up()
  expect((await project.status()).services.map((service) => service.pid)).toEqual(before)
})

test('`up` finds the project from a directory below it', async () => {
  await using harness = createHarness()
  const project = harness.project({ Procfile: 'worker: exec sleep 1000\n', 'a/b/c.txt': '' })
  const up = await harness.locald(['up'], { cwd: `${project.directory}/a/b` })
  expect(up.code).toBe(0)
  expect((await project.status()).root).toBe(project.directory)
})

test('`start` runs in the foreground and ends with the code of the first service that exits', async () => {
  await using harness = createHarness()
  const project = harness.project({
    Procfile: 'web: exec sleep 1000\nquitter: sleep 0.3; echo leaving; exit 7\n',
  })
  const start = project.start('start')
  const result = await start.ended
  expect(result.code).toBe(7)
  expect(result.stdout).toMatch(/quitter.*leaving/u)
  expect(findLeftovers({ directory: project.directory })).toEqual([])
})
