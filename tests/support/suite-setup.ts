// Around a whole run of a project's tests: temporary files go below one directory, and at the end nothing may be left,
// neither a process, and so no listener, nor a file.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { findLeftovers } from './leftovers.ts'
import type { Leftover } from './leftovers.ts'

export function setup(project: TestProject): () => void {
  // Short, for unix sockets live below it.
  const directory = mkdtempSync(join(tmpdir(), 'lt-'))
  project.config.env = { ...project.config.env, TMPDIR: directory }
  return () => {
    const processes = findLeftovers({ directory, variable: `TMPDIR=${directory}` }).filter((left) => !isWorker(left))
    const files = readdirSync(directory)
    for (const { pid } of processes) process.kill(pid, 'SIGKILL')
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    const left = [
      ...processes.map(({ pid, command, why }) => `process ${pid} (${command}): ${why}`),
      ...files.map((file) => `file ${join(directory, file)}`),
    ]
    if (left.length > 0) {
      process.exitCode = 1
      throw new Error(`The tests of "${project.name}" left something behind:\n  ${left.join('\n  ')}`)
    }
  }
}

/** Vitest's own workers have the environment of the tests, and may still be on their way out. */
function isWorker({ command }: Leftover): boolean {
  return command.includes('vitest/dist/workers/')
}
