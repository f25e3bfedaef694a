// Keeps what was tried: as a new locald.toml, or as one more service of the one that is there. Never overwrites.
import { readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { serviceTable, withService } from '../config/add-service.ts'
import type { NewService } from '../config/add-service.ts'
import { discover } from '../config/discover.ts'
import { tomlString } from '../config/toml-text.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { isErrno } from '../lib/errno.ts'
import type { CommandContext } from './command.ts'
import { trialService } from './trial.ts'
import type { Trial } from './trial.ts'

export interface SavePlan {
  readonly file: string
  /** Its name in the file. */
  readonly service: string
  /** The whole file as it will be. */
  readonly text: string
  /** Null: the file is new. */
  readonly before: string | null
  /** What is added, for people. */
  readonly added: string
}

/** Null: there is a locald.toml that nothing can be added to. */
export async function planSave({ cwd, env }: CommandContext, { command, project }: Trial): Promise<SavePlan | null> {
  const found = await discover({ dir: cwd, home: env['HOME'] ?? '/' }).catch((error: unknown) => {
    if (error instanceof LocaldError) return null
    throw error
  })
  if (found?.format !== 'toml') {
    const table = serviceTable(trialService, { command }).join('\n')
    const name = project === basename(cwd) ? [] : ['[project]', `name = ${tomlString(project)}`, '']
    const added = [...name, table].join('\n')
    const text = `# What "locald up" runs.\n\n${added}\n`
    return { file: join(cwd, 'locald.toml'), service: trialService, text, before: null, added }
  }
  const before = await readFile(found.file, 'utf8')
  const workdir = relative(found.root, cwd)
  const service: NewService = { command, ...(workdir === '' ? {} : { workdir }) }
  const names = [trialService, project, ...Array.from({ length: 8 }, (_, at) => `${trialService}-${at + 2}`)]
  for (const name of names) {
    const text = withService(before, name, service)
    if (text !== null) {
      return { file: found.file, service: name, text, before, added: serviceTable(name, service).join('\n') }
    }
  }
  return null
}

/** Throws `config_exists` when somebody has written the file meanwhile. */
export async function save({ file, text, before }: SavePlan): Promise<void> {
  if (before === null) {
    await writeFile(file, text, { flag: 'wx' }).catch((cause: unknown) => {
      throw isThere(cause) ? changed(file) : cause
    })
    return
  }
  if ((await readFile(file, 'utf8')) !== before) throw changed(file)
  await writeFileAtomic(file, text, (await stat(file)).mode & 0o777)
}

function changed(file: string): LocaldError {
  return new LocaldError('config_exists', `Cannot write "${file}": somebody has written it meanwhile`)
}

function isThere(error: unknown): boolean {
  return isErrno(error, 'EEXIST')
}
