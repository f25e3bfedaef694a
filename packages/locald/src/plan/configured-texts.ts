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

/** References in the service's own `env`, `command` and `health_check`, each with the place of the value that holds it. */
export function serviceReferences(service: ServiceConfig): readonly PlacedReference[] {
  const { env, command, healthCheck, place, places } = service
  const placeOf: PlaceOf = (path) => places?.[path] ?? place
  return [
    ...env.map((entry) => ({ text: entry.value, mode: 'value', place: entry.place }) as const),
    ...commandTexts(command, 'command', placeOf),
    ...checkTexts(healthCheck, placeOf),
  ].flatMap(referencesOf)
}

type PlaceOf = (path: string) => Place

function referencesOf({ text, mode, place }: ConfiguredText): readonly PlacedReference[] {
  return referencesIn(parseReferences(text, mode)).map((reference) => ({ reference, place }))
}

function commandTexts(command: Command | undefined, path: string, placeOf: PlaceOf): readonly ConfiguredText[] {
  if (command === undefined) return []
  if (typeof command === 'string') return [{ text: command, mode: 'shell', place: placeOf(path) }]
  return command.map((text, index) => ({ text, mode: 'value', place: placeOf(`${path}.${index}`) }))
}

function checkTexts(check: HealthCheck | undefined, placeOf: PlaceOf): readonly ConfiguredText[] {
  if (check?.type === 'command') return commandTexts(check.command, 'health_check.command', placeOf)
  if (check?.type !== 'http') return []
  return [
    { text: check.path, mode: 'value', place: placeOf('health_check.path') },
    ...Object.entries(check.headers).map(
      ([name, text]) => ({ text, mode: 'value', place: placeOf(`health_check.headers.${name}`) }) as const,
    ),
  ]
}
