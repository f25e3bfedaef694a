// What a command costs: `status` next to starting Node at all, and `up` with nothing running yet.
import { createInstallation } from '../installation.mjs'
import { median, worst } from '../statistics.mjs'

export async function measure({ installation, quick }) {
  const project = installation.project('[services.one]\ntype = "worker"\ncommand = ["sleep", "1000"]\n')
  await project.locald('up')
  // The first commands after an installation also write the bytecode of the following ones: decision 34.
  const learning = []
  for (let n = 0; n < 4; n += 1) learning.push((await project.locald('status')).ms)
  const node = []
  const status = []
  // In turns, so that whatever else the machine does hits both alike.
  for (let n = 0; n < (quick ? 10 : 100); n += 1) {
    node.push((await installation.node()).ms)
    status.push((await project.locald('status')).ms)
  }
  await project.locald('stop')

  const cold = []
  for (let n = 0; n < (quick ? 2 : 6); n += 1) {
    const fresh = createInstallation()
    try {
      const first = fresh.project('[services.one]\ntype = "worker"\ncommand = ["sleep", "1000"]\n')
      const { startedAt } = await first.locald('up', '--no-wait')
      const services = await first.services()
      cold.push(Date.parse(services[0].started_at) - startedAt)
    } finally {
      await fresh.dispose()
    }
  }
  return [
    { what: '`node -e 0`, median (the yardstick)', value: median(node), unit: 'ms' },
    { what: '`status`, median', value: median(status), unit: 'ms' },
    { what: '`status` ÷ `node -e 0`', value: median(status) / median(node), unit: '×', limit: 1.4 },
    { what: 'the first `status` after an installation, worst', value: worst(learning), unit: 'ms' },
    { what: 'cold `up` → first spawn, median', value: median(cold), unit: 'ms', limit: 500 },
    { what: 'cold `up` → first spawn ÷ `node -e 0`', value: median(cold) / median(node), unit: '×' },
  ]
}
