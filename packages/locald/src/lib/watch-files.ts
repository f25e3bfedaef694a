// Watches files by patterns, and tells of changes when they have come to rest.
import { existsSync, readdirSync, statSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { watch } from 'chokidar'
import picomatch from 'picomatch'

export interface WatchFilesOptions {
  /** Absolute; patterns are relative to it, and changed files are told so. */
  readonly root: string
  /** Globs; one that begins with `!` excludes. */
  readonly patterns: readonly string[]
  /** Absolute directories in which nothing counts. */
  readonly excluded: readonly string[]
  /** Milliseconds since the epoch: a file that is found changed after that, when it is looked at first, counts. Default: none does. */
  readonly since?: number
  /** So long nothing must change before it is told, but for what never rests: that is told after ten times as long. Default 300. */
  readonly quietMs?: number
  readonly onChange: (files: readonly string[]) => void
  /** It cannot be watched; nothing follows. */
  readonly onError: (error: unknown) => void
}

/** Of these nobody means the inside, unless a pattern names them before its first star. */
const ignoredDirectories: ReadonlySet<string> = new Set(
  `.git .hg .svn .jj node_modules bower_components vendor target dist build out coverage tmp .venv venv __pycache__
   .mypy_cache .pytest_cache .ruff_cache .tox .next .nuxt .svelte-kit .output .turbo .parcel-cache .cache .gradle .terraform`.split(
    /\s+/u,
  ),
)
/** What editors put beside a file while they save it. */
const editorsFile = /(?:~|\.sw[a-z]|\.tmp|^4913|^\.#.*|^#.*#)$/u

interface Pattern {
  /** Absolute, without a star: where what it matches must lie. */
  readonly base: string
  /** Levels of directories below the base that can hold a match. */
  readonly depth: number
}

interface FileWatch extends Disposable {
  /** No change from now on is missed. Stays open when it cannot be watched. */
  readonly ready: Promise<void>
}

/** Files looked at before anybody else has a turn. */
const looksAtOnce = 200

/** Until disposed of. */
export function watchFiles(options: WatchFilesOptions): FileWatch {
  const { root, excluded, since = Number.POSITIVE_INFINITY, quietMs = 300, onChange, onError } = options
  const wanted = options.patterns.filter((pattern) => !pattern.startsWith('!')).flatMap(normalized)
  const unwanted = options.patterns.flatMap((one) => (one.startsWith('!') ? normalized(one.slice(1)) : []))
  const isMatch = wanted.length === 0 ? () => false : picomatch(wanted)
  const isUnwanted = unwanted.length === 0 ? () => false : picomatch(unwanted, { dot: true })
  const patterns = wanted.map((pattern) => patternOf(root, pattern))

  const changed = new Set<string>()
  let timer: NodeJS.Timeout | null = null
  let firstAt = 0
  const tell = (): void => {
    const files = [...changed]
    changed.clear()
    timer = null
    onChange(files)
  }
  const nameOf = (path: string): string => relative(root, path).split(sep).join('/')
  const counts = (path: string): boolean => {
    const name = nameOf(path)
    return isMatch(name) && !isUnwanted(name) && !editorsFile.test(name.slice(name.lastIndexOf('/') + 1))
  }
  const note = (path: string): void => {
    if (!counts(path)) return
    const now = performance.now()
    if (changed.size === 0) firstAt = now
    changed.add(nameOf(path))
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(tell, Math.min(quietMs, firstAt + 10 * quietMs - now))
  }
  const isIgnored = (path: string, isDirectory: boolean): boolean =>
    excluded.some((directory) => isWithin(directory, path)) ||
    !(isDirectory ? patterns.some((pattern) => leadsTo(pattern, path)) : counts(path))

  const roots = [...new Set(patterns.map(({ base }) => nearestDirectory(base)))]
  const watcher = watch(roots, {
    ignoreInitial: false,
    alwaysStat: true,
    ignored: (path, stats) => stats !== undefined && isIgnored(resolve(path), stats.isDirectory()),
  })
  let isReady = false
  let isOver = false
  const firstSeen = new Map<string, string>()
  watcher.on('change', note).on('unlink', note)
  watcher.on('add', (path, stats) => {
    if (isReady || (stats?.mtimeMs ?? 0) > since) note(path)
    else firstSeen.set(path, stateOf(stats))
  })
  /** Everything was looked at a little before it was watched, and may have changed between the two. */
  const lookAgain = async (): Promise<void> => {
    let looks = 0
    const pause = async (): Promise<void> => {
      if (++looks % looksAtOnce === 0) await setImmediate()
    }
    for (const [path, state] of firstSeen) {
      if (stateOf(statOf(path)) !== state) note(path)
      await pause()
      if (isOver) return
    }
    firstSeen.clear()
    for (const [directory, known] of Object.entries(watcher.getWatched())) {
      if (!roots.some((root) => isWithin(root, directory))) continue
      for (const path of newIn(directory, known)) watcher.add(path)
      await pause()
      if (isOver) return
    }
  }
  const newIn = (directory: string, known: readonly string[]): readonly string[] => {
    const names = new Set(known)
    return entriesOf(directory)
      .filter((entry) => !names.has(entry.name) && !isIgnored(join(directory, entry.name), entry.isDirectory()))
      .map(({ name }) => join(directory, name))
  }
  const end = (): void => {
    isOver = true
    if (timer !== null) clearTimeout(timer)
    watcher.close().catch(() => undefined) // it has nothing to lose, and nobody waits for it
  }
  watcher.on('error', (error) => {
    if (isOver) return
    end()
    onError(error)
  })
  const ready = new Promise<void>((resolve) => {
    watcher.once('ready', () => {
      isReady = true
      void lookAgain().then(resolve)
    })
  })
  return { ready, [Symbol.dispose]: end }
}

/** What may not be looked at any more counts as gone. */
function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined
  }
}

function stateOf(stats: Stats | undefined): string {
  return stats === undefined ? '' : `${stats.ino} ${stats.size} ${stats.mtimeMs}`
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch {
    return [] // it is gone, which the watch tells
  }
}

/** A path without a star may be that of a file, or of a directory with everything in it. */
function normalized(pattern: string): readonly string[] {
  const plain = pattern.replace(/^\.\//u, '').replace(/\/$/u, '')
  if (plain === '.' || plain === '') return ['**']
  return picomatch.scan(plain).glob === '' ? [plain, `${plain}/**`] : [plain]
}

function patternOf(root: string, pattern: string): Pattern {
  const { base, glob } = picomatch.scan(pattern)
  if (glob === '') return { base: dirname(resolve(root, base)), depth: 0 }
  return { base: resolve(root, base), depth: glob.includes('**') ? Infinity : glob.split('/').length - 1 }
}

/** Whether a directory can hold a match, or leads to one that does. */
function leadsTo({ base, depth }: Pattern, directory: string): boolean {
  if (isWithin(directory, base)) return true
  const below = isWithin(base, directory) ? relative(base, directory).split(sep) : null
  return below !== null && below.length <= depth && !below.some((name) => ignoredDirectories.has(name))
}

/** Whether a path is that directory, or lies in it. */
function isWithin(directory: string, path: string): boolean {
  const way = relative(directory, path)
  return way === '' || (!way.startsWith(`..${sep}`) && way !== '..' && !isAbsolute(way))
}

/** What is to be watched may come to be later: then the nearest directory above tells of it. */
function nearestDirectory(path: string): string {
  let directory = path
  while (!existsSync(directory) && dirname(directory) !== directory) directory = join(directory, '..')
  return directory
}
