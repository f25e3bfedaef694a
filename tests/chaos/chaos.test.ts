// Kills the daemon and the keeper at random moments under a project of unruly services. Short by itself; `npm run chaos` runs
// it in full, with a seed of its own or a given one (see scripts/chaos.mjs).
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Chaos } from './chaos.ts'
import type { ChaosPlan } from './chaos.ts'

const given = process.env['LOCALD_CHAOS']
const plan: ChaosPlan =
  given === undefined
    ? { seed: Date.now() % 1_000_000, daemonKills: 5, keeperKills: 2 }
    : (JSON.parse(given) as ChaosPlan)
const reportFile = process.env['LOCALD_CHAOS_REPORT']

test(
  `nothing is lost over ${plan.daemonKills} killed daemons and ${plan.keeperKills} killed keepers, seed ${plan.seed}`,
  { timeout: 60_000 + 20_000 * (plan.daemonKills + plan.keeperKills) },
  async () => {
    await using chaos = new Chaos(plan)
    try {
      await chaos.run()
    } finally {
      if (reportFile !== undefined) writeFileSync(reportFile, JSON.stringify(chaos.report))
    }
    expect(chaos.report.faults).toEqual([])
    const kills = chaos.report.phases.map((phase) => phase.kills).reduce((sum, count) => sum + count, 0)
    expect(kills).toBe(plan.daemonKills + plan.keeperKills)
  },
)
