// A runner that records and tells nothing, for tests of one part of it.
import { DockerRunner } from '../docker-runner.ts'
import type { DockerRunnerOptions } from '../docker-runner.ts'

/** Nobody holds notify sockets. */
export const silent: DockerRunnerOptions['notify'] = {
  open: async () => undefined,
  identify: async () => undefined,
  ending: () => undefined,
  close: () => undefined,
}

export function runnerFor(options: Partial<DockerRunnerOptions> = {}): DockerRunner {
  return new DockerRunner({
    installation: '/test',
    recorder: {
      output: async () => undefined,
      record: async () => undefined,
      recorded: async () => ({ hasStarted: true, hasExited: false, last: {} }),
    },
    logger: { log: () => undefined },
    onFact: () => undefined,
    onProgress: () => undefined,
    onUsed: () => undefined,
    knownRuns: () => new Set(),
    reachable: () => [],
    listListeners: async () => [],
    notify: silent,
    ...options,
  })
}
