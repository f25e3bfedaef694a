// Every setting that is in effect, and where it comes from: what `config show --provenance` prints.
import { serviceSchema } from '@locald/protocol/config'
import type { ServiceDocument } from '@locald/protocol/config'
import type { Config, Place, ServiceConfig } from './config.ts'
import type { LoadedConfig } from './load-config.ts'
import { builtInDefaults, taskDefaults } from './service-builder.ts'
import type { ServiceDefaults } from './service-builder.ts'
import type { TomlDocument } from './toml-document.ts'
import type { TomlPath } from './toml-index.ts'

export interface Setting {
  /** `services.web.restart`, `env.LOG_LEVEL`. */
  readonly key: string
  /** As it would be written in locald.toml. */
  readonly value: unknown
  /** `project` is the configuration file, or what it stands in place of: a Procfile's line, the directory's name. */
  readonly origin: 'default' | 'user' | 'project'
  /** Where it is written; null for defaults. */
  readonly place: Place | null
}

/** In the order of the file; services after what is for all of them. Empty when the configuration has faults. */
export function configSettings(loaded: LoadedConfig): readonly Setting[] {
  if (!loaded.result.ok) return []
  const { config } = loaded.result
  return [
    ...projectSettings(loaded, config),
    ...config.env.map(({ name, value, place }) => ({
      key: `env.${name}`,
      value,
      origin: place.file === loaded.user?.source.file ? ('user' as const) : ('project' as const),
      place,
    })),
    ...logSettings(loaded),
    ...config.services.flatMap((service) => serviceSettings(loaded, config, service)),
    ...config.routes.map(({ prefix, service, stripPrefix, place }) => ({
      key: `routes.${prefix}`,
      value: stripPrefix ? { service, strip_prefix: true } : service,
      origin: 'project' as const,
      place,
    })),
  ]
}

function projectSettings({ project }: LoadedConfig, { name, domain, worktree }: Config): readonly Setting[] {
  return [
    setting(project, ['project', 'name'], project?.data.project?.name) ?? byDefault('project.name', name),
    setting(project, ['project', 'domain'], project?.data.project?.domain) ?? byDefault('project.domain', domain),
    setting(project, ['project', 'domains'], project?.data.project?.domains),
    worktree === undefined ? undefined : worktreeSetting(worktree),
  ].filter((each) => each !== undefined)
}

const logDefaults = { segment_size: '10MB', segments: 5, total: '1GB' } as const

function logSettings({ project, user }: LoadedConfig): readonly Setting[] {
  const keys = ['segment_size', 'segments', 'total'] as const
  return keys.map(
    (key) =>
      setting(project, ['logs', key], project?.data.logs?.[key]) ??
      setting(user, ['logs', key], user?.data.logs?.[key], 'user') ??
      byDefault(`logs.${key}`, logDefaults[key]),
  )
}

function serviceSettings(loaded: LoadedConfig, { root }: Config, service: ServiceConfig): readonly Setting[] {
  const { name } = service
  const { project, user, commandPlaces } = loaded
  const base = ['services', name]
  const written: ServiceDocument = project?.data.services?.[name] ?? {}
  const keys = Object.keys(serviceSchema.shape).filter((key): key is keyof ServiceDocument => key !== 'env')
  const own = keys.flatMap((key): readonly Setting[] => {
    const found =
      setting(project, [...base, key], written[key]) ??
      userSetting(user, service, key) ??
      implied(key, service, root, commandPlaces.get(name))
    return found === undefined ? [] : [{ ...found, key: `services.${name}.${key}` }]
  })
  const env = service.env.map((entry): Setting => ({
    key: `services.${name}.env.${entry.name}`,
    value: entry.value,
    origin: 'project',
    place: entry.place,
  }))
  return [...own, ...env]
}

function setting(
  document: TomlDocument<unknown> | undefined,
  path: TomlPath,
  value: unknown,
  origin: 'user' | 'project' = 'project',
): Setting | undefined {
  if (document === undefined || value === undefined) return undefined
  return { key: path.join('.'), value, origin, place: document.source.placeOf(document.spanOf(path, 'key').start) }
}

/** Not of the file: it follows from the checkout that the file is in. */
function worktreeSetting({ branch, label }: NonNullable<Config['worktree']>): Setting {
  return { key: 'project.worktree', value: branch ?? label, origin: 'project', place: null }
}

function byDefault(key: string, value: unknown): Setting {
  return { key, value, origin: 'default', place: null }
}

function userSetting(
  user: LoadedConfig['user'],
  { type }: ServiceConfig,
  key: keyof ServiceDocument,
): Setting | undefined {
  const defaults = user?.data.defaults
  if (defaults === undefined || !isDefaultable(key) || (type === 'task' && Object.hasOwn(taskDefaults, key)))
    return undefined
  return setting(user, ['defaults', key], defaults[key], 'user')
}

function isDefaultable(key: string): key is keyof ServiceDefaults {
  return Object.hasOwn(builtInDefaults, key)
}

/** What holds for a key that nobody wrote; `undefined` for keys that are simply absent. */
function implied(
  key: keyof ServiceDocument,
  service: ServiceConfig,
  root: string,
  commandPlace: Place | undefined,
): Setting | undefined {
  switch (key) {
    case 'type':
      return byDefault(key, service.type)
    case 'command':
      // From a Procfile or a package.json.
      if (service.command === undefined) return undefined
      return { key, value: service.command, origin: 'project', place: commandPlace ?? service.place }
    case 'workdir':
      return byDefault(key, root)
    case 'port':
      if (service.port !== undefined) return { key, value: service.port, origin: 'project', place: service.place }
      return service.listening === 'never' ? undefined : byDefault(key, 'assigned')
    case 'replicas':
      return byDefault(key, service.replicas)
    case 'start':
      return byDefault(key, service.start)
    default:
      if (!isDefaultable(key)) return undefined
      if (service.type === 'task' && (key === 'restart' || key === 'start_timeout'))
        return byDefault(key, taskDefaults[key])
      return byDefault(key, builtInDefaults[key])
  }
}
