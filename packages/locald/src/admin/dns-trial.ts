// Whether our DNS server answers, and the system asks it: found out by asking.
import { lookup, Resolver } from 'node:dns/promises'
import type { DnsSetup } from './resolved-drop-in.ts'

const timeoutMs = 1000

/** The addresses of a name by the system's own resolver; none when it knows none. */
export type Lookup = (host: string) => Promise<readonly string[]>

export async function systemLookup(host: string): Promise<readonly string[]> {
  const found = await lookup(host, { all: true }).catch(() => [])
  return found.map(({ address }) => address)
}

/** With the address of this machine, for names below each of the suffixes. */
export async function answersDns({ port, suffixes }: DnsSetup): Promise<boolean> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  const answers = await Promise.all(
    suffixes.map(async (suffix) => await resolver.resolve4(trialName(suffix)).catch((): readonly string[] => [])),
  )
  return answers.every((addresses) => addresses.includes('127.0.0.1'))
}

/** Whether the system finds names below each of the suffixes on this machine. */
export async function findsNames({ suffixes }: DnsSetup, look: Lookup = systemLookup): Promise<boolean> {
  const found = await Promise.all(suffixes.map(async (suffix) => await look(trialName(suffix))))
  return found.every((addresses) => addresses.length > 0 && addresses.every(isLoopback))
}

export function isLoopback(address: string): boolean {
  return /^127\.|^::1$/.test(address)
}

/** Nobody has it, and every name below a suffix leads here. */
function trialName(suffix: string): string {
  return `locald-doctor.${suffix}`
}
