// An engine that speaks the Docker Engine API. The library is loaded when the first container is wanted.
import { readFile } from 'node:fs/promises'
import type { Agent } from 'node:http'
import { join } from 'node:path'
import type Dockerode from 'dockerode'
import type { DockerOptions } from 'dockerode'
import { socketPathOf } from './engine-address.ts'
import { sshAgent } from './ssh-agent.ts'
import type { EngineAddress } from './container-order.ts'

export type Engine = Dockerode

/** A client for it. Nothing is sent: whether anybody answers shows with the first request. */
export async function openEngine(address: EngineAddress): Promise<Engine> {
  const { default: Docker } = await import('dockerode')
  const { url, certificates } = address
  const socketPath = socketPathOf(address)
  if (socketPath !== null) return new Docker({ socketPath })
  const { protocol, hostname: name, port } = new URL(url)
  const hostname = name.replace(/^\[(.*)\]$/, '$1')
  if (protocol === 'ssh:') {
    // Not in the library's types, but what it makes its requests with.
    const overSsh: DockerOptions & { readonly agent: Agent } = {
      protocol: 'http',
      host: hostname,
      agent: sshAgent(url),
    }
    return new Docker(overSsh)
  }
  if (certificates === null) return new Docker({ protocol: 'http', host: hostname, port: Number(port || 2375) })
  const [ca, cert, key] = await Promise.all(
    ['ca', 'cert', 'key'].map((name) => readFile(join(certificates, `${name}.pem`), 'utf8')),
  )
  return new Docker({
    protocol: 'https',
    host: hostname,
    port: Number(port || 2376),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  })
}

/** HTTP status of a refusal by the engine; undefined for any other error. */
export function statusOf(error: unknown): number | undefined {
  return error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number'
    ? error.statusCode
    : undefined
}

/** Whether nobody answered: no engine, none any more, or none for this user. */
export function isUnreachable(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && statusOf(error) === undefined
}

/** What to tell a user about a request that failed, what to do included. */
export function describeEngineError(error: unknown, address: EngineAddress): string {
  const path = address.url.replace(/^unix:\/\//, '')
  if (isUnreachable(error) && error instanceof Error && 'code' in error) {
    switch (error.code) {
      case 'EACCES':
      case 'EPERM':
        return `this user may not use the Docker engine at ${path}; be a member of its group (sudo usermod -aG docker $USER, then log in again), or set DOCKER_HOST to an engine of your own`
      case 'ENOENT':
      case 'ECONNREFUSED':
        return socketPathOf(address) === null
          ? `no Docker engine answers at ${address.url}; start it there, or unset DOCKER_HOST`
          : `no Docker engine runs (${error.code === 'ENOENT' ? 'there is no' : 'nobody listens on'} ${path}); start one: ${startCommand()}. Another one is named by DOCKER_HOST`
      default:
        return `the Docker engine at ${path} does not answer (${error.message})`
    }
  }
  return messageOf(error)
}

function startCommand(): string {
  return process.platform === 'darwin' ? 'open -a Docker' : 'sudo systemctl start docker'
}

/** The engine's own words, without what the client wraps around them. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const json = 'json' in error ? error.json : undefined
  if (typeof json === 'object' && json !== null && 'message' in json && typeof json.message === 'string') {
    return json.message.trim()
  }
  return error.message.replace(/^\(HTTP code \d+\) [^-]*- /, '').trim()
}
