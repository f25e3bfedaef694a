// Ends the daemon: for good with everything it runs, or to be replaced by another under running services.
import { existsSync } from 'node:fs'
import type { RestartRequest } from '@locald/protocol'
import { isOlderVersion } from '../lib/version-order.ts'
import { version } from '../lib/version.ts'
import type { DaemonParts } from './daemon-parts.ts'

type ShutDownParts = Pick<DaemonParts, 'supervisor' | 'journal' | 'keeper' | 'exit'>

/** `by`: who asks for a restart, and which program it would have started. */
export async function shutDown(
  { supervisor, journal, keeper, exit }: ShutDownParts,
  how: 'stop' | 'restart',
  by: RestartRequest | undefined,
): Promise<void> {
  if (how === 'stop') {
    for (const [project, record] of supervisor.state.projects) {
      supervisor.stop(project, `shutdown-${journal.seq}`, [...record.instances.keys()], false)
    }
    await untilIdle({ supervisor, journal })
  }
  journal.append((seq, at) => ({ seq, at, type: 'daemon.stopping', pid: process.pid, version }), [])
  const isAsGood = by !== undefined && !isOlderVersion(by.version, version) && existsSync(by.program)
  const program = isAsGood ? { program: by.program } : {}
  await keeper.request('shutdown', how === 'restart' ? { restart: true, ...program } : {})
  exit()
}

async function untilIdle({ supervisor, journal }: Pick<ShutDownParts, 'supervisor' | 'journal'>): Promise<void> {
  if (!supervisor.isBusy) return
  await new Promise<void>((resolve) => {
    const { stop } = journal.subscribe(null, () => {
      if (supervisor.isBusy) return
      stop()
      resolve()
    })
  })
}
