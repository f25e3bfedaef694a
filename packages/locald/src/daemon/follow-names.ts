// Keeps names, what is shown of them and what the proxy knows in step with what happens.
import type { LocaldEvent } from '@locald/protocol'
import type { Journal } from '../events/journal.ts'
import type { Change } from '../supervisor/state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { NameLookups } from './name-lookups.ts'
import type { PublicNames } from './public-names.ts'
import type { TrustState } from './trust-state.ts'

export interface NameFollowers {
  readonly journal: Journal<LocaldEvent, Change>
  readonly names: PublicNames
  readonly lookups: NameLookups
  readonly trust: TrustState
  readonly supervisor: Pick<Supervisor, 'retell'>
  /** Tells the proxy. */
  readonly refresh: () => void
}

/** Follows from now on; what is returned looks at everything anew. */
export function followNames({ journal, names, lookups, trust, supervisor, refresh }: NameFollowers): () => void {
  let isDue = false
  const follow = (): void => {
    isDue = false
    for (const project of names.takeChanged()) supervisor.retell(project)
    refresh()
    void lookups.look(names.hosts)
    void trust.look(names.hosts)
  }
  /** Who has which name is part of what happens; the rest may wait until all of it is told. */
  const look = (): void => {
    names.settle()
    if (isDue) return
    isDue = true
    setImmediate(follow)
  }
  journal.subscribe(null, look)
  look()
  return look
}
