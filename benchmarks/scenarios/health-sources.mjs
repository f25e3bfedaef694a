// From the moment a service becomes able to serve to the moment its dependent is spawned, by what says that it is: the distribution
// for each source of health. Containers are measured beside `docker compose up --wait`, where there is one.
import { fileURLToPath } from 'node:url'
import { dependent, listener, notifying, repeat, telling, warming } from '../reactions.mjs'
import { composeCommand, composeReactions } from '../compose.mjs'
import { median, quantile, worst } from '../statistics.mjs'

const buildImages = fileURLToPath(new URL('../../scripts/build-test-images.sh', import.meta.url))
const pairs = [0, 1, 2, 3, 4].map((n) => [`web${n}`, `after${n}`])
const node = JSON.stringify(process.execPath)

/** Five services at once, each with its dependent, that become able to serve one after the other. */
const byProcess = (definition) =>
  pairs.map(([web, after], n) => `[services.${web}]\n${definition(n)}\n${dependent(after, web)}`).join('')

/** The port is open all the while that they are not able to. */
const warmingMs = 3000
const sources = [
  {
    source: 'tcp: it listens',
    limit: 60,
    files: { 'web.mjs': listener },
    toml: byProcess((n) => `type = "exec"\ncommand = [${node}, "web.mjs", "${400 + n * 137}"]`),
  },
  {
    source: `http: its port is open for ${warmingMs / 1000} s before it can serve`,
    limit: 60,
    files: { 'web.mjs': warming },
    toml: byProcess(
      (n) => `command = [${node}, "web.mjs", "${warmingMs + n * 137}"]\nhealth_check = { type = "http", path = "/" }`,
    ),
  },
  {
    source: 'command: a file is there',
    limit: 300,
    files: { 'web.mjs': warming },
    toml: byProcess(
      (n) => `command = [${node}, "web.mjs", "${400 + n * 137}"]\nhealth_check = "test -e $LOCALD_SERVICE.warm"`,
    ),
  },
  {
    source: 'log: it printed a line',
    limit: 60,
    files: { 'web.mjs': telling },
    toml: byProcess(
      (n) =>
        `command = [${node}, "web.mjs", "${400 + n * 137}"]\nhealth_check = { type = "log", pattern = "accepting" }`,
    ),
  },
  {
    source: 'notify: it sent READY=1',
    limit: 60,
    files: { 'web.py': notifying },
    toml: byProcess((n) => `command = ["python3", "web.py", "${400 + n * 137}"]\nhealth_check = { type = "notify" }`),
  },
]

/** Notes when it becomes able to serve, by the time of a file. */
const inContainer = (name, n, what) => `sleep ${(2 + n * 0.137).toFixed(3)}; touch /data/${name}.at; ${what}`
const containers = [
  {
    source: 'docker: a HEALTHCHECK passes, interval 30 s',
    image: 'locald-test/healthcheck',
    what: 'touch /ok; exec sleep 1000',
    limit: 500,
    compose: {},
  },
  {
    source: 'docker: a HEALTHCHECK passes, interval 1 s',
    image: 'locald-test/busybox',
    what: 'touch /ok; exec sleep 1000',
    limit: 500,
    toml: 'health_check = { command = "test -e /ok", interval = "1s" }\n',
    compose: { healthcheck: { test: 'test -e /ok', interval: '1s' } },
  },
  {
    source: 'tcp: a container listens inside',
    image: 'locald-test/busybox',
    what: 'exec httpd -f -p 80',
    limit: 150,
    toml: 'container_port = 80\n',
    // Without a HEALTHCHECK it takes a container for ready when that is started.
    compose: { ports: ['127.0.0.1::80'] },
  },
]

const containerProject = ({ image, what, toml = '' }) =>
  pairs
    .map(
      ([web, after], n) =>
        `[services.${web}]\nimage = "${image}"\ncommand = ["sh", "-c", "${inContainer(web, n, what)}"]\nvolumes = ["./data:/data"]\nstop_timeout = "0s"\n${toml}` +
        `[services.${after}]\ntype = "worker"\ncommand = "sleep 1000"\ndepends_on = ["${web}"]\n`,
    )
    .join('')

async function containerReactions(times, project) {
  const all = []
  for (let n = 0; n < times; n += 1) {
    for (const [web] of pairs) project.forget(`data/${web}.at`)
    await project.locald('up')
    const services = await project.services()
    await project.locald('stop')
    for (const [web, after] of pairs) {
      const { started_at: startedAt } = services.find(({ name }) => name === after)
      all.push(Date.parse(startedAt) - project.touched(`data/${web}.at`))
    }
  }
  return all
}

const unit = 'ms'

function distribution(source, values, limit) {
  return [
    { what: `${source} → dependent spawned, median`, value: median(values), unit },
    { what: '… 95 of 100', value: quantile(values, 0.95), unit },
    { what: '… worst', value: worst(values), unit, ...(limit === undefined ? {} : { limit }) },
    // A tick of the clock of files, at most.
    { what: '… earliest', value: Math.min(...values), unit, ...(limit === undefined ? {} : { least: -4 }) },
  ]
}

async function whyNoEngine(installation) {
  const { code, stderr } = await installation.run(buildImages, [])
  return code === 0 ? null : (stderr.trim().split('\n').at(-1) ?? 'no Docker engine')
}

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const rounds = quick ? 1 : 4
  const rows = []
  for (const { source, limit, files, toml } of sources) {
    const { spawned } = await repeat(rounds, installation.project(toml, files), pairs)
    rows.push(...distribution(source, spawned, limit))
  }
  const refusal = await whyNoEngine(installation)
  if (refusal !== null) return [...rows, { what: 'docker, containers', skipped: refusal }]
  const compose = await composeCommand(installation)
  for (const each of containers) {
    const project = installation.project(containerProject(each))
    rows.push(...distribution(each.source, await containerReactions(rounds, project), each.limit))
    if (compose === null) {
      rows.push({ what: '… docker compose up --wait', skipped: 'there is no docker compose' })
      continue
    }
    const services = Object.fromEntries(
      pairs.flatMap(([web, after], n) => {
        const condition = each.source.startsWith('docker') ? 'service_healthy' : 'service_started'
        const volumes = ['./data:/data']
        const command = ['sh', '-c', inContainer(web, n, each.what)]
        return [
          [web, { image: each.image, command, volumes, ...each.compose }],
          [after, { image: 'locald-test/busybox', command: 'sleep 1000', depends_on: { [web]: { condition } } }],
        ]
      }),
    )
    const theirs = await composeReactions({ installation, compose, services, pairs, rounds: quick ? 1 : 2 })
    rows.push(...distribution(`… docker compose (${compose.version}): ${each.source}`, theirs))
  }
  return rows
}
