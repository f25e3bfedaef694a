// Five hundred services with every kind of check: what watching them costs, and whether any check is late.
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { worst } from '../statistics.mjs'

const intervalMs = 10_000

/** As light as a server can be that is on every Debian: writes down when it was asked. */
const server = `
use IO::Socket::INET; use Time::HiRes 'time'; $| = 1;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $ENV{PORT}, Listen => 16, ReuseAddr => 1) or die $!;
print "ready\\n";
while (my $client = $server->accept) {
  while (<$client>) { last if /^\\r?\\n$/ }
  print $client "HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok";
  close $client;
  open(my $file, '>>', "$ENV{LOCALD_SERVICE}.checks"); print $file time, "\\n"; close $file;
}
`

const listening = 'command = ["perl", "server.pl"]\n'
const sleeping = 'type = "worker"\ncommand = "echo ready; exec sleep 100000"\n'
const kinds = [
  { name: 'http', count: 150, definition: `${listening}health_check = { type = "http", path = "/" }\n` },
  { name: 'tcp', count: 100, definition: `${listening}health_check = { type = "tcp" }\n` },
  { name: 'port', count: 50, definition: `type = "exec"\n${listening}` },
  {
    name: 'command',
    count: 50,
    definition: `${sleeping}health_check = "date +%s.%N >> $LOCALD_SERVICE.checks"\n`,
  },
  { name: 'log', count: 50, definition: `${sleeping}health_check = { type = "log", pattern = "^ready" }\n` },
  { name: 'process', count: 100, definition: sleeping },
]

/** Nanoseconds on a processor, all threads together. */
function cpuTime(pid) {
  return readdirSync(`/proc/${pid}/task`).reduce((total, task) => {
    const [onCpu] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')
    return total + Number(onCpu)
  }, 0)
}

/** Milliseconds between one check and the next, of those that came after a moment; at the end, how long none has come. */
function gaps(root, name, since, now) {
  const file = join(root, `${name}.checks`)
  const times = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
  const after = [since, ...times.map((line) => Number(line) * 1000).filter((time) => time > since), now]
  return after.slice(1).map((time, index) => time - after[index])
}

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const names = kinds.flatMap(({ name, count }) => Array.from({ length: count }, (_, n) => `${name}${n}`))
  const toml = kinds.flatMap(({ name, count, definition }) =>
    Array.from({ length: count }, (_, n) => `[services.${name}${n}]\n${definition}`),
  )
  const project = installation.project(toml.join(''), { 'server.pl': server })
  const up = await project.locald('up')
  const { keeper, daemon } = await installation.server()
  await sleep(quick ? 5000 : 15_000) // What the start left to do is not idling.

  const since = Date.now()
  const before = [daemon.pid, keeper.pid].map(cpuTime)
  const startedAt = performance.now()
  await sleep(quick ? 15_000 : 60_000)
  const elapsed = (performance.now() - startedAt) * 1e6
  const [daemonShare, keeperShare] = [daemon.pid, keeper.pid].map(
    (pid, n) => (100 * (cpuTime(pid) - before[n])) / elapsed,
  )

  const asked = names.filter((name) => /^(?:http|command)/u.test(name))
  const late = asked.flatMap((name) => gaps(project.root, name, since, Date.now()).map((gap) => gap - intervalMs))
  // Nobody sees a look at the kernel's tables but the daemon, which tells when the last one was.
  const looked = names.filter((name) => /^(?:tcp|port)/u.test(name)).filter((_, n) => n % 10 === 0)
  for (const name of looked) {
    const { probe } = JSON.parse((await project.locald('why', name, '--json')).stdout)
    late.push(Date.now() - Date.parse(probe.at) - intervalMs)
  }
  await project.locald('stop')

  const percent = '% of a core'
  return [
    { what: `${names.length} services with mixed checks: \`up\` to all healthy`, value: up.ms, unit: 'ms' },
    { what: '… idle: daemon', value: daemonShare, unit: percent, limit: 2 },
    { what: '… idle: keeper', value: keeperShare, unit: percent },
    {
      what: '… the latest check, beyond its interval of 10 s',
      value: Math.max(0, worst(late)),
      unit: 'ms',
      limit: intervalMs,
    },
  ]
}
