// Services that do not listen where they were told.
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { PortRow } from '@locald/protocol'
import { expect, test } from 'vitest'
import { createHarness } from '../support/harness.ts'
import type { Project } from '../support/harness.ts'

async function listening(project: Project, service: string): Promise<readonly number[]> {
  const lines = await project.lines(service)
  return lines.flatMap((line) => /^listening on (\d+)/u.exec(line)?.[1] ?? []).map(Number)
}

test('examples/port-discovery-test: each is found where it listens', async () => {
  await using harness = createHarness()
  const project = harness.example('port-discovery-test')
  const up = await project.up()

  // auto: that port is used, and a warning says what was found and how to mend it.
  const [found = 0] = await listening(project, 'stubborn')
  const stubborn = await project.service('stubborn')
  expect(stubborn).toMatchObject({
    port: found,
    health: { status: 'healthy', source: 'tcp' },
  })
  expect(stubborn.warnings).toEqual([expect.stringContaining(`\`port = ${found}\``)])
  expect(stubborn.warnings[0]).toContain('--port $PORT')
  expect(up.stdout + up.stderr).toContain(`port = ${found}`)
  // The sibling that was spawned after that was told so.
  expect(await project.lines('client')).toEqual(['answered by stubborn'])

  // scan: a grandchild that listens late, and on IPv6 alone.
  const hidden = await project.service('hidden')
  expect([hidden.port]).toEqual(await listening(project, 'hidden'))
  expect(hidden.warnings).toEqual([])
  expect(hidden.host).toBe('::1')
  expect((await project.locald('url', 'hidden', '--json')).stdout).toContain(`http://[::1]:${hidden.port}`)

  // Several: the given one, with all of them shown.
  const several = await project.service('several')
  const all = await listening(project, 'several')
  expect(new Set(several.ports)).toEqual(new Set(all))
  expect(all).toHaveLength(3)
  const { ports: rows } = (await project.locald('ports', '--json')).json<{ ports: readonly PortRow[] }>()
  expect(rows.filter((row) => row.service === 'several').map(({ kind, listening: is }) => ({ kind, is }))).toEqual([
    { kind: 'assigned', is: true },
    { kind: 'discovered', is: true },
    { kind: 'discovered', is: true },
  ])
  expect(rows.find((row) => row.service === 'several' && row.kind === 'assigned')?.port).toBe(several.port)
  expect(rows.filter((row) => row.service === 'stubborn')).toEqual([
    expect.objectContaining({ kind: 'assigned', listening: false, holder: null }),
    expect.objectContaining({ kind: 'discovered', port: found, listening: true }),
  ])

  // Another port: followed.
  const { port: before } = await project.service('restless')
  await fetch(`http://127.0.0.1:${before}/`)
  const moved = await project.waitFor('restless', (s) => s.port !== before && s.health.status === 'healthy')
  expect(moved.port).toBe((await listening(project, 'restless')).at(-1))
  expect(moved).toMatchObject({ run: 1, restarts: 0 })
})

test('port_discovery = "off": a mismatch is an error that says so, at once', async () => {
  await using harness = createHarness()
  const example = harness.example('port-discovery-test')
  example.write(
    'locald.toml',
    '[services.web]\ntype = "exec"\ncommand = "node server.mjs anywhere"\nport_discovery = "off"\n',
  )
  const started = Date.now()
  const up = await example.locald('up')
  expect(up.code).toBe(1)
  expect(Date.now() - started).toBeLessThan(20_000) // start_timeout is 60 s
  const [found] = await listening(example, 'web')
  const web = await example.service('web')
  expect(up.stdout + up.stderr).toContain(`Listens on port ${found}, not on port ${web.port} that it was given`)
  expect(web).toMatchObject({ health: { status: 'unhealthy' }, state: 'starting' })
  expect(web.health.message).toContain('port_discovery is "off"')
})

test('running siblings that hold the old port are named, until they are restarted', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'server.mjs': `import { createServer } from 'node:http'
createServer((request, response) => response.end('ok')).listen(0, '127.0.0.1', function () { console.log('listening on ' + this.address().port) })
`,
    'locald.toml': `[services.back]
type = "exec"
command = "while ! test -e go; do sleep 0.05; done; exec node server.mjs"
[services.front]
type = "worker"
command = "echo told $TOLD; exec sleep 1000"
env = { TOLD = "\${services.back.port}" }
[services.aside]
type = "worker"
command = "exec sleep 1000"
`,
  })
  await project.locald('up', '--no-wait')
  const front = await project.waitFor('front', (s) => s.health.status === 'healthy')
  project.write('go', '')
  const back = await project.waitFor('back', (s) => s.warnings.some((w) => w.includes('"front"')))
  const assigned = Number(/told (\d+)/u.exec((await project.lines('front'))[0] ?? '')?.[1])
  expect(back.port).not.toBe(assigned)
  expect(back.warnings.filter((w) => w.includes('locald restart'))).toEqual([
    expect.stringContaining('locald restart front'),
  ])
  expect((await project.service('front')).pid).toBe(front.pid)

  expect((await project.locald('restart', 'front')).code).toBe(0)
  expect((await project.lines('front')).at(-1)).toBe(`told ${back.port}`)
  expect((await project.service('back')).warnings.filter((w) => w.includes('locald restart'))).toEqual([])

  // What was found is a better guess than what was assigned, until it listens again.
  expect((await project.locald('env', 'front', '--json')).stdout).toContain(`"${back.port}"`)
})

test('`run` without a command refers to siblings where they are, not where they would have been', async () => {
  await using harness = createHarness()
  const project = harness.project({
    'locald.toml': `[services.api]
command = "exec node -e 'require(\`http\`).createServer((q, r) => r.end()).listen(process.env.PORT)'"
[services.client]
type = "task"
command = "echo \${services.api.port} $API_PORT"
depends_on = ["api"]
`,
  })
  const { ports } = (await project.locald('ports', '--json')).json<{ ports: readonly PortRow[] }>()
  const planned = ports.find(({ service }) => service === 'api')?.port
  const rival = createServer().listen(planned, '127.0.0.1')
  try {
    await once(rival, 'listening')
    await project.up()
    const { port } = await project.service('api')
    expect(port).not.toBe(planned)
    const run = await project.locald('run', 'client')
    expect(run).toMatchObject({ code: 0, stdout: `${port} ${port}\n` })
  } finally {
    rival.close()
  }
})
