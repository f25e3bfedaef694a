// What `locald try` runs: a project of one service, whose configuration lies in the state directory for as long as it runs.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { serviceTable } from '../config/add-service.ts'
import type { NewService } from '../config/add-service.ts'
import { directoriesUpFrom } from '../config/discover.ts'
import { portCommand } from '../config/port-command.ts'
import type { Scripts } from '../config/port-command.ts'
import { tomlString } from '../config/toml-text.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { hostLabel } from '../lib/host-name.ts'
import { ownDirectory } from '../lib/own-directory.ts'
import { shellText } from '../lib/shell-text.ts'

export interface TrialOptions {
  /** One that holds several words is a line of a shell. */
  readonly words: readonly string[]
  readonly cwd: string
  readonly home: string
  /** Of the project, and so of its host; default: that of the directory. */
  readonly name: string | undefined
  /** See `Installation.tries`. */
  readonly directory: string
}

export interface Trial extends AsyncDisposable {
  readonly project: string
  /** What is run: the command, with flags behind it where it needs some. */
  readonly command: string
  /** What is told its port by flags; null: where it listens is found out. */
  readonly framework: string | null
  /** Its configuration. */
  readonly file: string
}

/** The name of its only service. */
export const trialService = 'web'

/** Writes the configuration; disposing of it removes that. The same command in the same directory has the same port. */
export async function createTrial({ words, cwd, home, name, directory }: TrialOptions): Promise<Trial> {
  const [only = ''] = words
  const written = words.length === 1 ? only : shellText(words)
  const { command, framework } = portCommand(written, await scriptsFor(cwd, home))
  const label = hostLabel(name ?? basename(cwd))
  const project = label === '' ? 'try' : label
  const key = createHash('sha256')
    .update(JSON.stringify([cwd, project, written]))
    .digest('hex')
    .slice(0, 12)
  const folder = join(directory, key)
  ownDirectory(directory)
  ownDirectory(folder)
  const file = join(folder, 'locald.toml')
  const service: NewService = {
    command,
    workdir: cwd,
    ...envFilesOf(cwd),
    ...(framework === null ? { port_discovery: 'scan' } : {}),
  }
  const text = ['[project]', `name = ${tomlString(project)}`, '', ...serviceTable(trialService, service), '']
  await writeFileAtomic(file, text.join('\n'))
  return {
    project,
    command,
    framework,
    file,
    [Symbol.asyncDispose]: async () => await rm(folder, { recursive: true, force: true }),
  }
}

/** Those that a project in this directory would read by itself. */
function envFilesOf(cwd: string): NewService {
  const files = ['.env', '.env.local'].map((name) => join(cwd, name)).filter((file) => existsSync(file))
  return files.length === 0 ? {} : { env_file: files }
}

/** Of the package that package managers would take here. */
async function scriptsFor(cwd: string, home: string): Promise<Scripts> {
  for (const directory of await directoriesUpFrom(cwd, home)) {
    const content = await readFile(join(directory, 'package.json'), 'utf8').catch(() => null)
    if (content !== null) return scriptsIn(content)
  }
  return {}
}

function scriptsIn(text: string): Scripts {
  let content: unknown
  try {
    content = JSON.parse(text)
  } catch {
    // Whoever reads it next complains better.
    return {}
  }
  const scripts = typeof content === 'object' && content !== null && 'scripts' in content ? content.scripts : null
  const entries = typeof scripts === 'object' && scripts !== null ? Object.entries(scripts) : []
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}
