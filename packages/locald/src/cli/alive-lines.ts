// Who is still alive of services that are being stopped, as lines that stay.
import type { AliveWatchOptions } from './alive-watch.ts'
import type { CommandContext } from './command.ts'
import { formatDuration } from './output/durations.ts'
import { describeProcesses } from './output/progress.ts'

const firstLineMs = 1500
const furtherLinesMs = 5000

/** One is worth its place when something has been alive for a while, and then now and then. */
export function aliveLines({ output, now }: Pick<CommandContext, 'output' | 'now'>): AliveWatchOptions['onAlive'] {
  const due = new Map<string, number>()
  return (ending) => {
    for (const { service, since, processes } of ending) {
      const elapsed = now() - since
      if (elapsed < (due.get(service) ?? firstLineMs)) continue
      due.set(service, elapsed + furtherLinesMs)
      output.note(`${service} still alive after ${formatDuration(elapsed)}: ${describeProcesses(processes)}`)
    }
  }
}
