// Every text of a configuration that may hold references, with whose it is and where it stands.
import type { Command, Config, HealthCheck, Place, ServiceConfig } from '../config/config.ts'
import { parseReferences, referencesIn } from './references.ts'
import type { Piece, ReferenceMode } from './references.ts'

interface ConfiguredText {
  readonly text: string
  readonly mode: ReferenceMode
  readonly place: Place
}

export interface PlacedReference {
  readonly reference: Exclude<Piece, string>
  readonly place: Place
}

/** References in the `[env]` table of the project. */
export function projectReferences(config: Pick<Config, 'env'>): readonly PlacedReference[] {
  return config.env.map(({ value, place }) => ({ text: value, mode: 'value', place }) as const).flatMap(referencesOf)
}

/** References in the service's own `env`, `command` and `health_check`; of the latter two the place is the service's. */
export function serviceReferences(service: ServiceConfig): readonly PlacedReference[] {
  const { env, command, healthCheck, place } = service
  return [
    ...env.map((entry) => ({ text: entry.value, mode: 'value', place: entry.place }) as const),
    ...commandTexts(command, place),
    ...checkTexts(healthCheck, place),
  ].flatMap(referencesOf)
}

function referencesOf({ text, mode, place }: ConfiguredText): readonly PlacedReference[] {
  return referencesIn(parseReferences(text, mode)).map((reference) => ({ reference, place }))
}

function commandTexts(command: Command | undefined, place: Place): readonly ConfiguredText[] {
  if (command === undefined) return []
  if (typeof command === 'string') return [{ text: command, mode: 'shell', place }]
  return command.map((text) => ({ text, mode: 'value', place }))
}

function checkTexts(check: HealthCheck | undefined, place: Place): readonly ConfiguredText[] {
  if (check?.type === 'command') return commandTexts(check.command, place)
  if (check?.type !== 'http') return []
  return [check.path, ...Object.values(check.headers)].map((text) => ({ text, mode: 'value', place }))
}
