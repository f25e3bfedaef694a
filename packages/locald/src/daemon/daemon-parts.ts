// What the daemon is wired from.
import type { LocaldEvent } from '@locald/protocol'
import type { Journal } from '../events/journal.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { KeeperHello } from '../keeper/protocol.ts'
import type { Installation } from '../lib/installation.ts'
import type { Logger } from '../lib/logger.ts'
import type { Change } from '../supervisor/state.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import type { Aliases } from './aliases.ts'
import type { Catalog } from './catalog.ts'
import type { ContainerTerminals } from './container-attachment.ts'
import type { DnsService } from './dns-service.ts'
import type { LogTroubles } from './log-troubles.ts'
import type { NameLookups } from './name-lookups.ts'
import type { PublicNames } from './public-names.ts'
import type { ProxyPorts } from './public-url.ts'
import type { Strays } from './strays.ts'
import type { TrustState } from './trust-state.ts'
import type { Shells } from './shells.ts'

export interface DaemonParts {
  readonly supervisor: Supervisor
  readonly journal: Journal<LocaldEvent, Change>
  readonly keeper: KeeperLink
  readonly hello: KeeperHello
  readonly strays: Strays
  readonly names: PublicNames
  readonly lookups: NameLookups
  readonly aliases: Aliases
  readonly trust: TrustState
  readonly dns: DnsService
  /** Of the proxy; null: there is none. */
  readonly ports: ProxyPorts | null
  readonly terminals: ContainerTerminals
  readonly catalog: Catalog
  readonly shells: Shells
  readonly installation: Installation
  readonly onGrew: (listener: (stream: string) => void) => () => void
  /** Somebody typed something for what writes to this log stream. */
  readonly onTyped: (stream: string) => void
  readonly logTroubles: LogTroubles
  readonly logger: Logger
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** What was found wrong with locald's own files; grows. */
  readonly troubles: readonly string[]
  /** Ends this process, once nothing of an answer is left to be sent. */
  readonly exit: () => void
}
