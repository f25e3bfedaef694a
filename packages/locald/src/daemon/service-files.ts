// Watches the files of a service that asked for it.
import type { Place } from '../supervisor/place.ts'
import type { FileReport } from '../supervisor/supervisor-dependencies.ts'

/**
 * Patterns are relative to the project's root. `since`: its run knows files as they were then, milliseconds since the epoch.
 * `excluded` are absolute directories of locald itself.
 */
export function watchServiceFiles(
  { project, service }: Place,
  { since, excluded }: { readonly since: number; readonly excluded: readonly string[] },
  report: (report: FileReport) => void,
): Disposable {
  let isOver = false
  let watching: Disposable | null = null
  const fail = (error: unknown): void => {
    if (!isOver) report({ type: 'watch-failed', reason: `its files cannot be watched: ${reasonOf(error)}` })
  }
  // Only who watches files pays for it.
  import('../lib/watch-files.ts')
    .then(({ watchFiles }) => {
      if (isOver) return
      const { watch: patterns } = service.config
      const onChange = (files: readonly string[]): void => report({ type: 'files-changed', files })
      watching = watchFiles({ root: project.plan.root, patterns, since, excluded, onChange, onError: fail })
    })
    .catch(fail)
  return {
    [Symbol.dispose]: () => {
      isOver = true
      watching?.[Symbol.dispose]()
    },
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null
  if (code === 'ENOSPC') return 'the system has no more watches to give (raise fs.inotify.max_user_watches)'
  if (code === 'EMFILE') return 'too many files are open (raise fs.inotify.max_user_instances)'
  return error instanceof Error ? error.message : String(error)
}
