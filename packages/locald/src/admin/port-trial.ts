// Whether this user can really listen on a port of loopback: found out by listening for a moment.
import { createServer } from 'node:net'
import { describeHolder, holderOf } from '../lib/port-holder.ts'

export interface PortTrial {
  readonly port: number
  /** `refused`: only root may. `missing`: the system has no such address. */
  readonly result: 'free' | 'held' | 'refused' | 'missing'
  /** Who has it, when it is held. */
  readonly holder: string | null
}

/** Of both addresses of loopback the worse counts; IPv6 need not exist. */
export async function tryPort(port: number): Promise<PortTrial> {
  const results = await Promise.all(['127.0.0.1', '::1'].map(async (host) => await listenOnce(port, host)))
  const result = (['refused', 'held', 'free', 'missing'] as const).find((one) => results.includes(one)) ?? 'missing'
  const holder = result === 'held' ? await holderOf(port) : null
  return { port, result, holder: holder === null ? null : describeHolder(holder) }
}

function listenOnce(port: number, host: string): Promise<PortTrial['result']> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(resultOf(error.code)))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve('free')))
  })
}

function resultOf(code: string | undefined): PortTrial['result'] {
  if (code === 'EACCES' || code === 'EPERM') return 'refused'
  return code === 'EADDRINUSE' ? 'held' : 'missing'
}
