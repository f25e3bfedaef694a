// The log streams that the disk refuses: what people are told, and how readers get at what waits in the keeper.
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { StreamTrouble } from '../keeper/protocol.ts'
import type { ReadUnwritten } from '../logs/log-reader.ts'

export class LogTroubles {
  readonly #keeper: KeeperLink
  /** The code of the error, by stream. */
  readonly #troubles = new Map<string, string>()

  /** Listens from now on; `add` takes what was there before. */
  constructor(keeper: KeeperLink) {
    this.#keeper = keeper
    keeper.onTrouble((trouble) => this.add([trouble]))
  }

  add(troubles: readonly StreamTrouble[]): void {
    for (const { stream, trouble } of troubles) {
      if (trouble === null) this.#troubles.delete(stream)
      else this.#troubles.set(stream, trouble)
    }
  }

  /** One for all streams, or none. */
  get warnings(): readonly string[] {
    const [code] = this.#troubles.values()
    if (code === undefined) return []
    const why = code === 'ENOSPC' ? 'the disk is full' : `the disk refuses it (${code})`
    return [
      `Output is not recorded at present: ${why}. Services run on; the newest output is kept in memory until there is room`,
    ]
  }

  /** The keeper is asked only while the disk refuses this stream. */
  unwrittenOf(stream: string): ReadUnwritten {
    return async (from) => {
      if (!this.#troubles.has(stream)) return null
      const { frames, end, lastRun } = await this.#keeper.request('unwritten', { stream, from })
      return end === 0 ? null : { frames: Buffer.from(frames, 'base64'), end, lastRun }
    }
  }
}
