// Finds the engine that the user's own docker command would speak to.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EngineAddress } from './container-order.ts'

type Env = Readonly<Record<string, string | undefined>>

const defaultSocket = '/var/run/docker.sock'

/**
 * By the environment of a shell: `DOCKER_HOST`, else the context that `DOCKER_CONTEXT` or docker's own configuration names, else
 * the first socket that is there of those that engines are known to use. Rejects with what a user has to know.
 */
export async function engineAddress(env: Env): Promise<EngineAddress> {
  const host = env['DOCKER_HOST']
  if (host !== undefined && host !== '') return withCertificates(host, certificatesOf(env))
  const context = env['DOCKER_CONTEXT'] || (await currentContext(env))
  if (context !== undefined && context !== 'default') return await contextAddress(context, env)
  const found = knownSockets(env).find((path) => existsSync(path)) ?? defaultSocket
  return { url: `unix://${found}`, certificates: null }
}

/**
 * Whether the engine is on another machine, where neither directories nor loopback ports of this one exist. One that is reached at a
 * loopback address is taken to be here.
 */
export function isRemote(address: EngineAddress): boolean {
  return (
    socketPathOf(address) === null &&
    !/^(?:tcp|https?):\/\/(?:127\.[\d.]+|localhost|\[::1\])(?:[:/]|$)/i.test(address.url)
  )
}

/** The socket of this machine that it is reached by; null: none. */
export function socketPathOf({ url }: EngineAddress): string | null {
  return url.startsWith('unix://') ? url.slice('unix://'.length) : null
}

/** Directory of docker's own configuration. */
export function dockerConfigDirectory(env: Env): string {
  return env['DOCKER_CONFIG'] || join(env['HOME'] ?? '/', '.docker')
}

/** https://docs.docker.com/reference/cli/docker/#environment-variables */
function certificatesOf(env: Env): string | null {
  if (!env['DOCKER_TLS_VERIFY'] && !env['DOCKER_TLS']) return null
  return env['DOCKER_CERT_PATH'] || dockerConfigDirectory(env)
}

function withCertificates(url: string, certificates: string | null): EngineAddress {
  return { url, certificates: url.startsWith('tcp://') || url.startsWith('https://') ? certificates : null }
}

async function currentContext(env: Env): Promise<string | undefined> {
  const config = await readJson(join(dockerConfigDirectory(env), 'config.json'))
  const name = config?.['currentContext']
  return typeof name === 'string' && name !== '' ? name : undefined
}

/** Contexts lie in folders named by the hash of their name. */
async function contextAddress(name: string, env: Env): Promise<EngineAddress> {
  const contexts = join(dockerConfigDirectory(env), 'contexts')
  const folder = createHash('sha256').update(name).digest('hex')
  const meta = await readJson(join(contexts, 'meta', folder, 'meta.json'))
  const endpoints = meta?.['Endpoints']
  const docker = isRecord(endpoints) ? endpoints['docker'] : undefined
  const host = isRecord(docker) ? docker['Host'] : undefined
  if (typeof host !== 'string' || host === '') {
    throw new Error(`the docker context "${name}" does not exist; choose another: docker context use default`)
  }
  const certificates = join(contexts, 'tls', folder, 'docker')
  return withCertificates(host, existsSync(certificates) ? certificates : null)
}

/** Docker, rootless Docker, Docker Desktop, OrbStack, Colima, Rancher Desktop, podman. */
function knownSockets(env: Env): readonly string[] {
  const home = env['HOME']
  const runtime = env['XDG_RUNTIME_DIR']
  return [
    defaultSocket,
    ...(runtime === undefined ? [] : [join(runtime, 'docker.sock')]),
    ...(home === undefined
      ? []
      : ['.docker/run', '.docker/desktop', '.orbstack/run', '.colima/default', '.rd'].map((folder) =>
          join(home, folder, 'docker.sock'),
        )),
    ...(runtime === undefined ? [] : [join(runtime, 'podman/podman.sock')]),
  ]
}

/** Undefined when there is no such file, or nothing of use in it: docker itself says so better than we could. */
async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'))
    return isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
