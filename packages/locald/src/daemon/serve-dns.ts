// The DNS server of this daemon, where somebody has asked for one.
import { readDnsSetup } from '../admin/dns-setup.ts'
import type { Logger } from '../lib/logger.ts'

export interface DnsOptions {
  /** See `Installation.dnsSetup`. */
  readonly file: string
  readonly logger: Logger
  readonly onTrouble: (message: string, error?: unknown) => void
}

/** Runs until the daemon ends. A port that is taken costs these names, and nothing else. Resolves with whether it answers now. */
export async function serveDns({ file, logger, onTrouble }: DnsOptions): Promise<boolean> {
  const setup = await readDnsSetup(file)
  if (setup === null) return false
  const { DnsServer } = await import('../admin/dns-server.ts')
  try {
    await DnsServer.open(setup, logger)
    logger.log('info', 'Answering DNS', { ...setup })
    return true
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    onTrouble(`Names below ${setup.suffixes.join(', ')} are not answered: ${reason}`, error)
    return false
  }
}
