// Credentials for a registry, from where `docker login` keeps them.
import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dockerConfigDirectory } from './engine-address.ts'

export interface Credentials {
  readonly username: string
  readonly password: string
  readonly serveraddress: string
  readonly identitytoken?: string
}

/** What Docker Hub is called in docker's configuration. */
const dockerHub = 'https://index.docker.io/v1/'

/** A helper that asks somebody for a password must not hold up a start for ever. */
const helperTimeoutMs = 20_000

/** Undefined when there are none: many images need none. `env`: of the user's shell. */
export async function credentialsFor(
  image: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credentials | undefined> {
  const registry = registryOf(image)
  const config = await readConfig(join(dockerConfigDirectory(env), 'config.json'))
  const helper = config.credHelpers?.[registry] ?? config.credsStore
  if (helper !== undefined && helper !== '') return await askHelper(helper, registry, env)
  const entry = config.auths?.[registry] ?? config.auths?.[`https://${registry}`]
  if (entry?.auth === undefined) return undefined
  const [username = '', ...password] = Buffer.from(entry.auth, 'base64').toString('utf8').split(':')
  return {
    username,
    password: password.join(':').replace(/\0+$/, ''),
    serveraddress: registry,
    ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
  }
}

/** The first part of a name is a registry when it looks like a host. */
export function registryOf(image: string): string {
  const [first = '', ...rest] = image.split('/')
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : dockerHub
}

/** A name without tag and digest means one tag; the engine would fetch all of them. */
export function withTag(image: string): string {
  return image.includes('@') || /:[^/]*$/.test(image) ? image : `${image}:latest`
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>
  readonly credsStore?: string
  readonly credHelpers?: Readonly<Record<string, string>>
}

/** An unreadable or damaged file counts as none: public images can still be had. */
async function readConfig(path: string): Promise<DockerConfig> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return typeof value === 'object' && value !== null ? value : {}
  } catch {
    return {}
  }
}

/** https://github.com/docker/docker-credential-helpers: the server's name goes in, JSON comes out. */
async function askHelper(
  helper: string,
  registry: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credentials | undefined> {
  const answer = await new Promise<string | null>((resolve) => {
    const child = spawn(`docker-credential-${helper}`, ['get'], {
      env: { ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: helperTimeoutMs,
    })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part))
    child.once('error', () => resolve(null)) // no such helper: as without credentials
    child.once('close', (code) => resolve(code === 0 ? text : null))
    child.stdin.on('error', () => undefined) // it may end before it reads
    child.stdin.end(registry)
  })
  try {
    const value: unknown = JSON.parse(answer ?? '')
    if (typeof value !== 'object' || value === null || !('Username' in value) || !('Secret' in value)) return undefined
    const username = String(value.Username)
    const secret = String(value.Secret)
    return username === '<token>'
      ? { username: '', password: '', serveraddress: registry, identitytoken: secret }
      : { username, password: secret, serveraddress: registry }
  } catch {
    return undefined
  }
}
