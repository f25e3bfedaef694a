// The keeper as the rest of the daemon sees it.
import type { Fact, KeeperOperation, KeeperOperations, StreamTrouble } from './protocol.ts'

/** A connection to the keeper. Rejects with a plain Error when the keeper is gone. */
export interface KeeperLink extends AsyncDisposable {
  request<Op extends KeeperOperation>(
    op: Op,
    params: KeeperOperations[Op]['params'],
  ): Promise<KeeperOperations[Op]['result']>
  /** Called for each fact in order, also for those sent again after hello. Set before `hello`. */
  onFact(listener: (fact: Fact) => void): void
  /** Output was added to a log stream. */
  onGrew(listener: (stream: string) => void): void
  /** The disk refuses a log stream, or takes it again. What came before `hello` is in its answer. */
  onTrouble(listener: (trouble: StreamTrouble) => void): void
  /** The keeper closed its end or died. */
  onLost(listener: () => void): void
}
