// From the moment a dependency listens to the moment its dependent is spawned, and until the dependent itself has run. The other
// sources of health are in health-sources.mjs.
import { dependent, listener, repeat } from '../reactions.mjs'
import { median, worst } from '../statistics.mjs'

export async function measure({ installation, quick }) {
  await installation.locald(['server', 'start'])
  const times = quick ? 5 : 20
  const node = JSON.stringify(process.execPath)

  const listening = installation.project(
    `[services.db]\ntype = "exec"\ncommand = [${node}, "db.mjs", "200"]\n${dependent('after', 'db')}`,
    { 'db.mjs': listener },
  )
  const tcp = await repeat(times, listening, [['db', 'after']])

  // Five at once, so that ten seconds are waited for once.
  const slowPairs = [0, 1, 2, 3, 4].map((n) => [`db${n}`, `after${n}`])
  const slow = installation.project(
    slowPairs
      .map(
        ([db, after], n) =>
          `[services.${db}]\ntype = "exec"\ncommand = [${node}, "db.mjs", "${10_000 + n * 137}"]\n${dependent(after, db)}`,
      )
      .join(''),
    { 'db.mjs': listener },
  )
  const afterLong = await repeat(1, slow, slowPairs)

  const ms = 'ms'
  return [
    { what: 'dependency listens → dependent spawned, median', value: median(tcp.spawned), unit: ms, limit: 10 },
    { what: '… worst', value: worst(tcp.spawned), unit: ms, limit: 40 },
    { what: '… median, until the dependent itself runs `date`', value: median(tcp.ran), unit: ms },
    { what: '… after a start of 10 s, median', value: median(afterLong.spawned), unit: ms, limit: 10 },
    { what: '… after a start of 10 s, worst', value: worst(afterLong.spawned), unit: ms, limit: 40 },
  ]
}
