// Where a run's output is recorded.
import { join } from 'node:path'
import type { LogSource } from '../logs/log-reader.ts'
import { runOf } from '../supervisor/instance.ts'
import type { SupervisorState } from '../supervisor/state.ts'

/** Throws when no instance has this run. */
export function logSourceOf(
  state: SupervisorState,
  id: string,
  logs: string,
): { readonly source: LogSource; readonly run: number } {
  for (const [project, { instances }] of state.projects) {
    for (const [key, instance] of instances) {
      const run = runOf(instance)
      if (run?.id !== id) continue
      const stream = `${project}/${key}`
      return { source: { label: key, stream, directory: join(logs, stream) }, run: run.number }
    }
  }
  throw new Error(`There is no run ${id}`)
}
