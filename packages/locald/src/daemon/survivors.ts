// Processes that could not be ended, later.
import { commandLineOf, readProcesses } from '../lib/process-tree.ts'

/** Which of these (`123 (sleep 1000): why`) are still there; another process that got the pid is not one of them. */
export function remainingSurvivors(survivors: readonly string[]): readonly string[] {
  if (survivors.length === 0) return survivors
  const processes = readProcesses()
  return survivors.filter((survivor) => {
    const [, pid, rest = ''] = /^(\d+) \(([\s\S]*)$/.exec(survivor) ?? []
    const entry = processes.get(Number(pid))
    return entry !== undefined && entry.alive && rest.startsWith(`${commandLineOf(entry)}): `)
  })
}
