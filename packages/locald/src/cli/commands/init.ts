// `locald init`: a first locald.toml, from what the project has or from a few answers. Never overwrites.
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { exitCodes, LocaldError } from '@locald/protocol'
import { isErrno } from '../../lib/errno.ts'
import { initSourceFor, renderInit } from '../../config/init.ts'
import type { InitService, InitSource } from '../../config/init.ts'
import type { CommandContext, Invocation } from '../command.ts'
import { interruptedExit } from '../interrupted.ts'

export async function init(context: CommandContext, call: Invocation): Promise<number> {
  const { output, cwd, env, isInteractive } = context
  const file = join(cwd, 'locald.toml')
  if (!call.flag('print') && existsSync(file)) throw alreadyThere(file)
  const found = await initSourceFor(cwd, env['HOME'] ?? '/')
  const isAsking = !call.flag('yes') && output.side.isTerminal && isInteractive()
  const source = isAsking ? await ask(context, found) : found
  if (source === null) {
    output.note('Nothing was written')
    return interruptedExit
  }
  if (source === undefined) {
    throw new LocaldError(
      'config_not_found',
      `Cannot write a configuration for "${cwd}": it has nothing to begin with`,
      {
        hint: 'It needs a Procfile, or a package.json with a "dev" script; on a terminal "locald init" asks instead',
      },
    )
  }
  const text = renderInit(source)
  if (call.flag('print')) {
    output.answer.write(text)
    return exitCodes.ok
  }
  await writeNew(file, text)
  output.note(`Wrote ${file}${source.from === null ? '' : ` from ${source.from}`}. Start it with "locald up"`)
  return exitCodes.ok
}

/** Null when the questions were broken off. */
async function ask({ cwd, output }: CommandContext, found: InitSource | undefined): Promise<InitSource | null> {
  // Only here: it is heavy, and most who run this have a source.
  const { confirm, isCancel, text } = await import('@clack/prompts')
  if (found !== undefined) {
    output.note(renderInit(found).trimEnd())
    const isRight = await confirm({ message: 'Write this to locald.toml?' })
    if (isCancel(isRight)) return null
    if (isRight) return found
  }
  const services: InitService[] = []
  for (;;) {
    const name = await text({
      message: services.length === 0 ? 'Name of the first service' : 'Name of the next service; empty when that is all',
      placeholder: services.length === 0 ? 'web' : '',
      validate: (value) => nameFault(value ?? '', services),
    })
    if (isCancel(name)) return null
    if (name === '' || name === undefined) break
    const command = await text({
      message: `Command of ${name}`,
      placeholder: 'npm run dev',
      validate: (value) => (value === undefined || value.trim() === '' ? 'It needs a command' : undefined),
    })
    if (isCancel(command)) return null
    services.push({ name, command })
  }
  const project = await text({ message: 'Name of the project', initialValue: basename(cwd) })
  if (isCancel(project)) return null
  return { from: null, services, ...(project === '' || project === basename(cwd) ? {} : { project }) }
}

function nameFault(name: string, services: readonly InitService[]): string | undefined {
  if (name === '') return services.length === 0 ? 'One service is needed' : undefined
  if (!/^[A-Za-z0-9_][A-Za-z0-9_-]*$/.test(name)) return 'Use letters, digits, "-" and "_"'
  return services.some((service) => service.name === name) ? 'There is one of that name already' : undefined
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' })
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) throw alreadyThere(file)
    throw cause
  }
}

function alreadyThere(file: string): LocaldError {
  return new LocaldError('config_exists', `Cannot write "${file}": there is one already`, {
    hint: 'Edit it, or move it away; "locald init --print" shows what would be written',
  })
}
