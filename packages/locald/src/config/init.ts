// Writes a first locald.toml from what a project already has. Text only: asking and writing files is for the command line.
import { basename, join } from 'node:path'
import { readLimited } from '../lib/read-limited.ts'
import { directoriesUpFrom } from './discover.ts'
import { parsePackage } from './package-json.ts'
import { parseProcfile } from './procfile.ts'
import { tomlKey, tomlString } from './toml-text.ts'

export interface InitService {
  readonly name: string
  readonly command: string
  /** `task`: runs to its end before the others start. Absent: locald finds out. */
  readonly type?: 'task' | 'worker'
  /** Fixed port. */
  readonly port?: number
  readonly dependsOn?: readonly string[]
}

/** What a locald.toml is made from. */
export interface InitSource {
  /** Named in a comment; null for a person's answers. */
  readonly from: 'Procfile.dev' | 'Procfile' | 'package.json' | null
  /** Default: the directory's name, which is then not written. */
  readonly project?: string
  readonly services: readonly InitService[]
}

/** From the directory's Procfile.dev, Procfile or `dev` script, the first that says something; else `undefined`. */
export async function initSourceFor(dir: string, home: string): Promise<InitSource | undefined> {
  for (const name of ['Procfile.dev', 'Procfile'] as const) {
    const text = await textOf(join(dir, name))
    const services = text === undefined ? [] : procfileServices(text, name)
    if (services.length > 0) return { from: name, services }
  }
  const file = join(dir, 'package.json')
  const text = await textOf(file)
  if (text === undefined) return undefined
  const { name, command } = parsePackage(text, file, await directoriesUpFrom(dir, home))
  if (command === undefined) return undefined
  const project = name === undefined || name === basename(dir) ? {} : { project: name }
  return { from: 'package.json', ...project, services: [{ name: 'web', command }] }
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readLimited(file, 4 * 1024 * 1024)
  } catch {
    // Not there or not for us: nothing to begin with.
    return undefined
  }
}

function procfileServices(text: string, file: string): readonly InitService[] {
  const services = new Map<string, InitService>()
  for (const entry of parseProcfile(text, file).entries) {
    // The names of a Procfile may begin with a dash, those of services may not.
    const name = entry.name.replace(/^-+/, '')
    if (name === '' || services.has(name)) continue
    const command = entry.command.trim()
    services.set(name, name === 'release' ? { name, command, type: 'task' } : { name, command })
  }
  if (!services.has('release')) return [...services.values()]
  return [...services.values()].map((one) => (one.name === 'release' ? one : { ...one, dependsOn: ['release'] }))
}

/** The text of a locald.toml; loads without any fault, and means the same as its source. */
export function renderInit({ from, project, services }: InitSource): string {
  const origin = from === null ? '' : ` Made from ${from}.`
  const lines = [`# What "locald up" runs.${origin}`]
  if (project !== undefined) lines.push('', '[project]', `name = ${tomlString(project)}`)
  for (const { name, command, type, port, dependsOn = [] } of services) {
    lines.push('', `[services.${tomlKey(name)}]`)
    if (type !== undefined) lines.push(`type = "${type}"`)
    lines.push(`command = ${tomlString(command)}`)
    if (port !== undefined) lines.push(`port = ${port}`)
    if (dependsOn.length > 0) lines.push(`depends_on = [${dependsOn.map(tomlString).join(', ')}]`)
  }
  return `${lines.join('\n')}\n`
}
