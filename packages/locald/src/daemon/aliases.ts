// Host names of what locald does not run: a port of this machine each, kept over restarts.
import { readFileSync } from 'node:fs'
import { LocaldError } from '@locald/protocol'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { isHostName, isOwnHost } from '../lib/host-name.ts'

export class Aliases {
  readonly #file: string
  readonly #onChange: () => void
  #ports: ReadonlyMap<string, number>

  constructor(file: string, onChange: () => void) {
    this.#file = file
    this.#onChange = onChange
    this.#ports = readAliases(file)
  }

  /** Ports by host. */
  get ports(): ReadonlyMap<string, number> {
    return this.#ports
  }

  /** Replaces one of that name. Throws `request_invalid`. */
  async set(host: string, port: number): Promise<void> {
    if (isOwnHost(host)) {
      throw new LocaldError('request_invalid', `Cannot use "${host}": it belongs to locald itself`, {
        hint: 'Choose another name: locald alias grafana 3000',
      })
    }
    if (!isHostName(host) || !host.includes('.')) {
      throw new LocaldError('request_invalid', `Cannot use "${host}": it is not the name of a host`, {
        hint: 'For example: locald alias grafana 3000, or locald alias grafana.shop.localhost 3000',
      })
    }
    await this.#store(new Map([...this.#ports, [host.toLowerCase(), port]]))
  }

  /** False when there is none of that name. */
  async remove(host: string): Promise<boolean> {
    const name = host.toLowerCase()
    if (!this.#ports.has(name)) return false
    await this.#store(new Map([...this.#ports].filter(([each]) => each !== name)))
    return true
  }

  async #store(ports: ReadonlyMap<string, number>): Promise<void> {
    await writeFileAtomic(this.#file, `${JSON.stringify({ version: 1, ports: Object.fromEntries(ports) })}\n`)
    this.#ports = ports
    this.#onChange()
  }
}

function readAliases(file: string): ReadonlyMap<string, number> {
  try {
    const stored: unknown = JSON.parse(readFileSync(file, 'utf8'))
    const ports = typeof stored === 'object' && stored !== null && 'ports' in stored ? stored.ports : null
    const entries = typeof ports === 'object' && ports !== null ? Object.entries(ports) : []
    return new Map(entries.filter((entry): entry is [string, number] => isHostName(entry[0]) && isPort(entry[1])))
  } catch {
    return new Map() // there never were any
  }
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}
