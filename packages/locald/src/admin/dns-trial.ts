// Whether our DNS server answers: found out by asking it.
import { Resolver } from 'node:dns/promises'
import type { DnsSetup } from './resolved-drop-in.ts'

const timeoutMs = 1000

/** With the address of this machine, for names below each of the suffixes. */
export async function answersDns({ port, suffixes }: DnsSetup): Promise<boolean> {
  const resolver = new Resolver({ timeout: timeoutMs, tries: 1 })
  resolver.setServers([`127.0.0.1:${port}`])
  const answers = await Promise.all(
    suffixes.map(
      async (suffix) => await resolver.resolve4(`locald-doctor.${suffix}`).catch((): readonly string[] => []),
    ),
  )
  return answers.every((addresses) => addresses.includes('127.0.0.1'))
}
