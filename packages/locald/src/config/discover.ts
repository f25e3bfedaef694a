// Finds the configuration of a directory.
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { basename, dirname, extname, join, resolve } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { readLimited } from '../lib/read-limited.ts'
import type { ConfigFormat } from './config.ts'
import { eachOnce, ownUid, refuseOthers, statOf } from './ownership.ts'
import type { Look } from './ownership.ts'
import { withoutMark } from './source-text.ts'

export interface DiscoverOptions {
  /** Where to begin; relative paths are meant from here. */
  readonly dir: string
  /** Names the file outright (`-f`), whatever else is there. */
  readonly file?: string
  /** The user's home directory: the walk ends there. */
  readonly home: string
  /** Whose files are trusted besides root's. Default: the user of this process. */
  readonly uid?: number
}

/** A configuration file that was found; not read yet. */
export interface FoundConfig {
  /** Real path. */
  readonly file: string
  readonly format: ConfigFormat
  /** Real path of its directory. */
  readonly root: string
  /** First 12 hex digits of the SHA-256 of the real path of the directory, or of the file when it was named. */
  readonly id: string
}

const maxPackageBytes = 4 * 1024 * 1024
const composeNames = ['compose.yaml', 'compose.yml', 'docker-compose.yaml', 'docker-compose.yml']
/** In the order in which they are taken within one directory. */
const otherNames: readonly (readonly [string, ConfigFormat])[] = [
  ['Procfile.dev', 'procfile'],
  ['Procfile', 'procfile'],
  ...composeNames.map((name) => [name, 'compose'] as const),
  ['package.json', 'package.json'],
]

/**
 * The nearest `locald.toml` from `dir` up to the git root, the home directory or the border of the file system; without
 * one, the nearest Procfile, compose file or package.json with a `dev` script. Throws `config_not_found`, `config_refused`
 * (somebody else's) and `type_unsupported` (compose).
 */
export async function discover(options: DiscoverOptions): Promise<FoundConfig> {
  const look = eachOnce()
  const found = options.file === undefined ? await walk(options, look) : await named(options.file, options)
  await refuseOthers(found.file, found.root, { uid: options.uid ?? ownUid(), look })
  if (found.format === 'compose') {
    throw new LocaldError(
      'type_unsupported',
      `Cannot use "${found.file}": compose files come with a later version of locald`,
      {
        hint: 'Describe the services in a locald.toml (locald init), or name another file: locald up -f Procfile',
      },
    )
  }
  return found
}

async function named(file: string, { dir }: DiscoverOptions): Promise<FoundConfig> {
  const path = resolve(dir, file)
  const facts = await statOf(path)
  if (facts === undefined) {
    throw new LocaldError('config_not_found', `There is no file "${path}"`, { hint: 'Check the path given with -f' })
  }
  if (facts.isDirectory()) {
    throw new LocaldError('config_not_found', `"${path}" is a directory, expected a configuration file`, {
      hint: `Name the file in it, or run locald there: cd "${path}"`,
    })
  }
  const real = await realpath(path)
  return { file: real, format: formatOf(path), root: dirname(real), id: idOf(real) }
}

function formatOf(path: string): ConfigFormat {
  const name = basename(path)
  if (name === 'package.json') return 'package.json'
  const extension = extname(name)
  if (extension === '.toml') return 'toml'
  if (extension === '.yaml' || extension === '.yml') return 'compose'
  if (extension === '.json') {
    throw new LocaldError('usage', `Cannot tell what kind of configuration "${path}" is`, {
      hint: 'Known are *.toml, Procfiles and package.json',
    })
  }
  return 'procfile'
}

async function walk({ dir, home }: DiscoverOptions, look: Look): Promise<FoundConfig> {
  // Every command comes this way, mostly from the project's own directory. The looks at the disk are side by side: each costs
  // more in being waited for than in itself.
  const own = await tomlIn(dir, look)
  if (own !== null) return own
  const searched = await directoriesUpFrom(dir, home)
  const [start = dir, ...above] = searched
  const nearest = (await Promise.all(above.map(async (directory) => await tomlIn(directory, look)))).find(
    (found) => found !== null,
  )
  if (nearest !== undefined) return nearest
  const unreadable: string[] = []
  for (const directory of searched) {
    for (const [name, format] of otherNames) {
      const path = join(directory, name)
      if ((await statOf(path))?.isFile() !== true) continue
      if (format === 'package.json') {
        const has = await hasDevScript(path)
        if (has === 'unreadable') unreadable.push(path)
        if (has !== 'yes') continue
      }
      return inDirectory(directory, name, format)
    }
  }
  const last = searched.at(-1) ?? start
  const where = last === start ? `"${start}"` : `"${start}" and the directories above it, up to "${last}"`
  throw new LocaldError('config_not_found', `No configuration found: looked in ${where}`, {
    hint:
      'locald reads locald.toml, Procfile.dev, Procfile, or a package.json with a "dev" script. ' +
      'Begin with: locald init' +
      unreadable.map((path) => `\n"${path}" was left out: it cannot be read, or is not JSON`).join(''),
  })
}

/**
 * Real paths of `dir` and what is above it: up to the git root, the home directory or the border of the file system, which are
 * included. Throws `config_not_found` when there is no `dir`.
 */
export async function directoriesUpFrom(dir: string, home: string): Promise<readonly string[]> {
  const [start, homeReal] = await Promise.all([realDirectory(dir), realpath(home).catch(() => home)])
  const directories = upTo(homeReal, start)
  const [devices, gits] = await Promise.all([
    Promise.all(directories.map(async (directory) => (await statOf(directory))?.dev)),
    Promise.all(directories.map(async (directory) => await statOf(join(directory, '.git')))),
  ])
  const last = directories.findIndex((_, n) => gits[n] !== undefined || devices[n + 1] !== devices[0])
  return last === -1 ? directories : directories.slice(0, last + 1)
}

/** `directory` and all that are above it, to `top` or the root. */
function upTo(top: string, directory: string): readonly string[] {
  const parent = dirname(directory)
  return directory === top || parent === directory ? [directory] : [directory, ...upTo(top, parent)]
}

async function tomlIn(dir: string, look: Look): Promise<FoundConfig | null> {
  const path = join(dir, 'locald.toml')
  void look(dir) // For refuseOthers.
  const [root, facts, file] = await Promise.all([realDirectory(dir), look(path), realpath(path).catch(() => path)])
  return facts?.isFile() === true ? { file, format: 'toml', root, id: idOf(root) } : null
}

async function inDirectory(root: string, name: string, format: ConfigFormat): Promise<FoundConfig> {
  return { file: await realpath(join(root, name)), format, root, id: idOf(root) }
}

async function realDirectory(dir: string): Promise<string> {
  try {
    return await realpath(dir)
  } catch (error) {
    throw new LocaldError('config_not_found', `There is no directory "${resolve(dir)}"`, { cause: error })
  }
}

function idOf(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 12)
}

async function hasDevScript(path: string): Promise<'yes' | 'no' | 'unreadable'> {
  try {
    const content: unknown = JSON.parse(withoutMark(await readLimited(path, maxPackageBytes)))
    const has = typeof content === 'object' && content !== null && devScriptOf(content) !== undefined
    return has ? 'yes' : 'no'
  } catch {
    // Somebody else's broken file must not end the walk; named with -f it is reported.
    return 'unreadable'
  }
}

/** The `dev` script of a package.json's content. */
export function devScriptOf(content: object): string | undefined {
  const scripts: unknown = 'scripts' in content ? content.scripts : undefined
  const dev: unknown = typeof scripts === 'object' && scripts !== null && 'dev' in scripts ? scripts.dev : undefined
  return typeof dev === 'string' && dev.trim() !== '' ? dev : undefined
}
