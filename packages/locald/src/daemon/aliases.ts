// Host names of what locald does not run: a port of this machine each, kept over restarts.
import { LocaldError } from '@locald/protocol'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { isHostName, isOwnHost } from '../lib/host-name.ts'
import { isRecord, readStateFile } from '../lib/state-file.ts'
import type { OnDamaged } from '../lib/state-file.ts'

const version = 1

export class Aliases {
  readonly #file: string
  readonly #onChange: () => void
  #ports: ReadonlyMap<string, number>

  constructor(file: string, onChange: () => void, onDamaged: OnDamaged) {
    this.#file = file
    this.#onChange = onChange
    this.#ports = readStateFile(file, parseAliases, onDamaged) ?? new Map()
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
    await writeFileAtomic(this.#file, `${JSON.stringify({ version, ports: Object.fromEntries(ports) })}\n`)
    this.#ports = ports
    this.#onChange()
  }
}

function parseAliases(stored: unknown): ReadonlyMap<string, number> | null {
  if (!isRecord(stored) || stored['version'] !== version || !isRecord(stored['ports'])) return null
  const entries = Object.entries(stored['ports'])
  const known = entries.filter((entry): entry is [string, number] => isHostName(entry[0]) && isPort(entry[1]))
  return known.length === entries.length ? new Map(known) : null
}

function isPort(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 65_535
}
