// The engines that containers of this installation were ever run at: where to look for what is left after a crash.
import type { EngineAddress } from '../container/container-order.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'
import { isRecord, readStateFile } from '../lib/state-file.ts'
import type { OnDamaged } from '../lib/state-file.ts'

const version = 1

export interface KnownEnginesReports {
  readonly onDamaged: OnDamaged
  /** One that was added cannot be noted. */
  readonly onUnwritten: (error: unknown) => void
}

export class KnownEngines {
  readonly #file: string
  readonly #onUnwritten: KnownEnginesReports['onUnwritten']
  readonly #all: EngineAddress[]

  /** Reads what an earlier daemon wrote. */
  constructor(file: string, { onDamaged, onUnwritten }: KnownEnginesReports) {
    this.#file = file
    this.#onUnwritten = onUnwritten
    this.#all = [...(readStateFile(file, parse, onDamaged) ?? [])]
  }

  get all(): readonly EngineAddress[] {
    return this.#all
  }

  add({ url, certificates }: EngineAddress): void {
    if (this.#all.some((known) => known.url === url && known.certificates === certificates)) return
    this.#all.push({ url, certificates })
    writeFileAtomic(this.#file, `${JSON.stringify({ version, engines: this.#all })}\n`).catch(this.#onUnwritten)
  }
}

function parse(stored: unknown): readonly EngineAddress[] | null {
  // The first version had no number, and was the list alone.
  const engines = isRecord(stored) && stored['version'] === version ? stored['engines'] : stored
  return Array.isArray(engines) && engines.every(isAddress) ? engines : null
}

function isAddress(value: unknown): value is EngineAddress {
  return isRecord(value) && typeof value['url'] === 'string' && 'certificates' in value
}
