// The engines that containers of this installation were ever run at: where to look for what is left after a crash.
import { readFileSync } from 'node:fs'
import type { EngineAddress } from '../container/container-order.ts'
import { writeFileAtomic } from '../lib/atomic-file.ts'

export class KnownEngines {
  readonly #file: string
  readonly #onTrouble: (error: unknown) => void
  readonly #all: EngineAddress[]

  /** Reads what an earlier daemon wrote; a file that is damaged counts as none. */
  constructor(file: string, onTrouble: (error: unknown) => void) {
    this.#file = file
    this.#onTrouble = onTrouble
    this.#all = read(file)
  }

  get all(): readonly EngineAddress[] {
    return this.#all
  }

  add({ url, certificates }: EngineAddress): void {
    if (this.#all.some((known) => known.url === url && known.certificates === certificates)) return
    this.#all.push({ url, certificates })
    writeFileAtomic(this.#file, JSON.stringify(this.#all)).catch(this.#onTrouble)
  }
}

function read(file: string): EngineAddress[] {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(value) ? value.filter(isAddress) : []
  } catch {
    return [] // none yet
  }
}

function isAddress(value: unknown): value is EngineAddress {
  return typeof value === 'object' && value !== null && 'url' in value && 'certificates' in value
}
