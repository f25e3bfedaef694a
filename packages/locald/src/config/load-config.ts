// Loads a project's configuration, whatever its format: the one door to this folder for daemon and command line.
import { access, realpath, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { Diagnostic } from '@locald/protocol'
import { configSchema, userConfigSchema } from '@locald/protocol/config'
import type { ConfigDocument, UserConfigDocument } from '@locald/protocol/config'
import { parseBytes } from '../lib/bytes.ts'
import type { Config, ConfigResult, EnvEntry, LogsConfig, Place, RouteConfig, ServiceConfig } from './config.ts'
import { dependencyFaults, referenceFaults, referringTexts } from './dependency-faults.ts'
import type { PlacedFault } from './dependency-faults.ts'
import { directoriesUpFrom, discover } from './discover.ts'
import { durationFault } from './duration-fault.ts'
import type { DiscoverOptions, FoundConfig } from './discover.ts'
import { gitWorktreeOf } from './git-worktree.ts'
import type { GitWorktree } from './git-worktree.ts'
import { hostNameFault } from './host-name-fault.ts'
import { isErrno } from '../lib/errno.ts'
import { hostLabel, isOwnHost } from '../lib/host-name.ts'
import { nearestName } from '../lib/nearest-name.ts'
import { FileTooLarge, readLimited } from '../lib/read-limited.ts'
import { eachOnce, ownUid, refuseOthers } from './ownership.ts'
import { parsePackage } from './package-json.ts'
import { parseProcfile } from './procfile.ts'
import type { ParsedProcfile } from './procfile.ts'
import { buildService, checkSignal, envEntries, needsCommand } from './service-builder.ts'
import type { ServiceSource } from './service-builder.ts'
import { sourceText, withoutMark } from './source-text.ts'
import type { Fault, SourceText } from './source-text.ts'
import { readToml } from './toml-document.ts'
import type { TomlDocument } from './toml-document.ts'

export interface LoadOptions extends DiscoverOptions {
  /** The user's defaults for all projects; need not exist. */
  readonly userConfigFile?: string
}

/** A result with the documents it was made from. */
export interface LoadedConfig {
  readonly result: ConfigResult
  readonly found: FoundConfig
  readonly user: TomlDocument<UserConfigDocument> | undefined
  /** Only of a locald.toml. */
  readonly project: TomlDocument<ConfigDocument> | undefined
  /** Of services in a locald.toml whose command is a line of the Procfile beside it. */
  readonly commandPlaces: ReadonlyMap<string, Place>
}

/**
 * Finds and reads the configuration. What is wrong in a file is in the result, all of it at once; throws a LocaldError only
 * for a configuration that is not found, refused, unsupported or unreadable.
 */
export async function loadConfig(options: LoadOptions): Promise<ConfigResult> {
  return (await loadDocuments(options)).result
}

/** As `loadConfig`, with what is needed to tell where each setting comes from. */
export async function loadDocuments(options: LoadOptions): Promise<LoadedConfig> {
  const found = await discover(options)
  const [text, user] = await Promise.all([readText(found.file), readUserConfig(options.userConfigFile)])
  const loading = new Loading(found, user)
  const project = await loading.read(text, options)
  return { result: loading.result(), found, user, project, commandPlaces: loading.commandPlaces }
}

/** Of a configuration file: room for thousands of services. */
const maxConfigBytes = 4 * 1024 * 1024

async function readText(file: string): Promise<string> {
  try {
    return await readLimited(file, maxConfigBytes)
  } catch (error) {
    throw unreadable(file, error)
  }
}

function unreadable(file: string, cause: unknown): LocaldError {
  if (cause instanceof FileTooLarge) {
    return new LocaldError('config_refused', `Refused to read ${cause.message}, which no configuration is`, { cause })
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new LocaldError('config_refused', `Cannot read "${file}": ${reason}`, {
    cause,
    hint: 'Make it readable for you',
  })
}

async function readUserConfig(file: string | undefined): Promise<TomlDocument<UserConfigDocument> | undefined> {
  if (file === undefined) return undefined
  let text: string
  try {
    text = await readLimited(file, maxConfigBytes)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined
    throw unreadable(file, error)
  }
  const document = readToml(text, file, userConfigSchema, {})
  const diagnostics = [...document.diagnostics]
  const signal = document.data.defaults?.stop_signal
  if (signal !== undefined) {
    checkSignal(signal, (fault) => diagnostics.push(document.diagnose(['defaults', 'stop_signal'], fault)))
  }
  for (const key of ['start_timeout', 'stop_timeout'] as const) {
    const fault = durationFault(key, document.data.defaults?.[key])
    if (fault !== null) diagnostics.push(document.diagnose(['defaults', key], fault))
  }
  return { ...document, diagnostics }
}

/** Names of services: what a host name, a variable and a folder can be made of. */
const serviceName = /^[A-Za-z0-9_](?:[A-Za-z0-9_-]|\.(?=[A-Za-z0-9_-]))*$/
const maxNameLength = 63

/** One load: gathers services and diagnostics. */
class Loading {
  readonly commandPlaces = new Map<string, Place>()
  readonly #found: FoundConfig
  readonly #user: TomlDocument<UserConfigDocument> | undefined
  readonly #diagnostics: Diagnostic[]
  #services: readonly ServiceConfig[] = []
  #name: string
  #domain: string | undefined
  #domains: readonly string[] = []
  #worktree: GitWorktree | undefined
  #env: readonly EnvEntry[] = []
  #routes: readonly RouteConfig[] = []
  #logs: ConfigDocument['logs']
  #isBroken = false
  #unclear: ReadonlySet<string> = new Set()

  constructor(found: FoundConfig, user: TomlDocument<UserConfigDocument> | undefined) {
    this.#found = found
    this.#user = user
    this.#diagnostics = [...(user?.diagnostics ?? [])]
    this.#name = basename(found.root) || 'project'
  }

  async read(
    text: string,
    { home, uid = ownUid() }: Pick<LoadOptions, 'home' | 'uid'>,
  ): Promise<TomlDocument<ConfigDocument> | undefined> {
    const { file, format, root } = this.#found
    const directories = await directoriesUpFrom(root, home)
    this.#worktree = await gitWorktreeOf(directories.at(-1) ?? root, root)
    // All checkouts of a repository are one project to people, whatever their directories are called.
    if (this.#worktree?.below === '') this.#name = this.#worktree.repository
    if (format === 'toml') {
      const document = readToml(text, file, configSchema, {})
      await this.#readToml(document, uid)
      return document
    }
    if (format === 'procfile') this.#readProcfile(text)
    else this.#readPackage(withoutMark(text), directories)
    return undefined
  }

  result(): ConfigResult {
    const diagnostics = this.#diagnostics.toSorted((a, b) =>
      a.file === b.file ? a.line - b.line || a.column - b.column : 0,
    )
    const config = this.#config()
    if (!diagnostics.some(({ severity }) => severity === 'error')) return { ok: true, config, diagnostics }
    return { ok: false, diagnostics, ...(this.#isBroken ? {} : { sound: { config, unclear: this.#unclear } }) }
  }

  #config(): Config {
    const { file, format, root, id } = this.#found
    return {
      file,
      format,
      root,
      id,
      name: this.#name,
      domain: this.#domain ?? defaultDomain(this.#name),
      domains: this.#domains,
      ...(this.#worktree === undefined ? {} : { worktree: worktreeOf(this.#worktree) }),
      env: this.#allEnv(),
      services: this.#services,
      routes: this.#routes,
      logs: logsConfig({ ...this.#user?.data.logs, ...this.#logs }),
    }
  }

  /** The user's variables, unless the project has one of the same name. */
  #allEnv(): readonly EnvEntry[] {
    const user = this.#user
    if (user === undefined) return this.#env
    const own = new Set(this.#env.map(({ name }) => name))
    const defaults = envEntries(user.data.env, (name) => user.source.placeOf(user.spanOf(['env', name], 'key').start))
    return [...defaults.filter(({ name }) => !own.has(name)), ...this.#env]
  }

  async #readToml(document: TomlDocument<ConfigDocument>, uid: number): Promise<void> {
    const { data, source } = document
    this.#diagnostics.push(...document.diagnostics)
    this.#isBroken = document.broken
    this.#unclear = servicesWithUnclearPort(document.faulty)
    this.#name = data.project?.name ?? this.#name
    this.#domain = data.project?.domain?.toLowerCase()
    this.#domains = (data.project?.domains ?? []).map((domain) => domain.toLowerCase())
    this.#checkDomains(document)
    this.#logs = data.logs
    this.#env = envEntries(data.env, (name) => source.placeOf(document.spanOf(['env', name], 'key').start))
    const procfile = await this.#siblingProcfile()
    this.#services = Object.entries(data.services ?? {}).map(([name, written]) =>
      this.#tomlService(document, name, written, procfile),
    )
    if (procfile !== undefined && this.commandPlaces.size > 0) {
      await refuseOthers(await realpath(procfile.file), this.#found.root, { uid, look: eachOnce() })
    }
    if (procfile !== undefined) this.#warnOfUnusedLines(procfile)
    if (this.#services.length === 0 && !document.broken && document.diagnostics.length === 0) {
      this.#report(document, ['services'], {
        severity: 'warning',
        code: 'empty-file',
        message: 'No service is defined in this file',
        hint: 'Begin with [services.web] and a command',
      })
    }
    this.#routes = this.#readRoutes(document)
    await this.#checkFiles(document)
    // With parts unreadable, every other name would seem to be missing.
    if (!document.broken) this.#checkBetween(document)
  }

  #checkDomains(document: TomlDocument<ConfigDocument>): void {
    const { domain, domains = [] } = document.data.project ?? {}
    const check = (path: readonly (string | number)[], name: string): void => {
      const fault = hostNameFault(name, { isWildcardGood: false })
      if (fault !== undefined) this.#report(document, ['project', ...path], fault)
    }
    if (domain !== undefined) check(['domain'], domain)
    for (const [index, name] of domains.entries()) check(['domains', index], name)
  }

  #tomlService(
    document: TomlDocument<ConfigDocument>,
    name: string,
    written: NonNullable<ConfigDocument['services']>[string],
    procfile: SiblingProcfile | undefined,
  ): ServiceConfig {
    const base = ['services', name]
    this.#checkName(document, name)
    const line = procfile?.parsed.entries.find((entry) => entry.name === name)
    const borrowed = needsCommand(written) && line !== undefined
    if (borrowed && procfile !== undefined) {
      this.commandPlaces.set(name, procfile.source.placeOf(line.commandSpan.start))
    }
    const service: ServiceSource = {
      name,
      document: borrowed ? { ...written, command: line.command } : written,
      spanOf: (path, at) => document.spanOf([...base, ...path], at),
      placeOf: (span) => document.source.placeOf(span.start),
      isSound: (key) => !document.broken && !document.hasFault([...base, key]),
      report: (path, fault) => this.#report(document, [...base, ...path], fault),
    }
    if (!borrowed && needsCommand(written) && service.isSound('command') && !hasMisspelt(document, name)) {
      this.#report(document, base, {
        at: 'key',
        code: 'missing',
        message: `The service "${name}" has no command`,
        hint: commandHint(name, procfile),
      })
    }
    const built = buildService(service, this.#found.root, this.#user?.data.defaults ?? {})
    const place = this.commandPlaces.get(name)
    return place === undefined ? built : { ...built, places: { ...built.places, command: place } }
  }

  #checkName(document: TomlDocument<ConfigDocument>, name: string): void {
    const report = (message: string, hint: string): void =>
      this.#report(document, ['services', name], { at: 'key', code: 'bad-name', message, hint })
    if (/\.\d+$/.test(name)) {
      report(
        `"${name}" cannot be the name of a service: a number at the end names one of several replicas`,
        'Use replicas = N, or another name',
      )
    } else if (!serviceName.test(name) || name.length > maxNameLength) {
      report(
        `"${name}" cannot be the name of a service`,
        `Use letters, digits, "-", "_" and "." (not first or last), at most ${maxNameLength} characters`,
      )
    }
  }

  /** The Procfile beside a locald.toml, whose lines its services may use. */
  async #siblingProcfile(): Promise<SiblingProcfile | undefined> {
    for (const name of ['Procfile.dev', 'Procfile']) {
      const file = join(this.#found.root, name)
      try {
        const text = await readLimited(file, maxConfigBytes)
        return { file, source: sourceText(file, text), parsed: parseProcfile(text, file) }
      } catch {
        // There is none, or it is not for us; a service that needs its line reports the missing command.
      }
    }
    return undefined
  }

  #warnOfUnusedLines({ file, source, parsed }: SiblingProcfile): void {
    const names = new Set(this.#services.map(({ name }) => name))
    for (const { name, span } of parsed.entries) {
      if (names.has(name)) continue
      this.#diagnostics.push(
        source.diagnose(span, {
          severity: 'warning',
          code: 'procfile-line-unused',
          message: `"${name}" of ${basename(file)} is not run: ${basename(this.#found.file)} has no service of that name`,
          hint: `Add [services.${name}], and it takes its command from here`,
        }),
      )
    }
  }

  #readProcfile(text: string): void {
    const { file, root } = this.#found
    const source = sourceText(file, text)
    const { entries, diagnostics } = parseProcfile(text, file)
    this.#diagnostics.push(...diagnostics)
    const seen = new Set<string>()
    this.#services = entries.flatMap((entry) => {
      if (seen.has(entry.name)) return []
      seen.add(entry.name)
      const task = entry.name === 'release'
      return buildService(
        {
          name: entry.name,
          document: task ? { type: 'task', command: entry.command } : { command: entry.command },
          spanOf: (path) => (path.length === 0 ? entry.span : entry.commandSpan),
          placeOf: (span) => source.placeOf(span.start),
          isSound: () => true,
          report: (_, { at: _at, ...fault }) => this.#diagnostics.push(source.diagnose(entry.span, fault)),
        },
        root,
        this.#user?.data.defaults ?? {},
      )
    })
  }

  #readPackage(text: string, directories: readonly string[]): void {
    const { file, root } = this.#found
    const source = sourceText(file, text)
    const parsed = parsePackage(text, file, directories)
    this.#diagnostics.push(...parsed.diagnostics)
    this.#name = parsed.name ?? this.#name
    if (parsed.command === undefined) return
    this.#services = [
      buildService(
        {
          name: 'web',
          document: { command: parsed.command },
          spanOf: () => parsed.span,
          placeOf: (span) => source.placeOf(span.start),
          isSound: () => true,
          report: (_, { at: _at, ...fault }) => this.#diagnostics.push(source.diagnose(parsed.span, fault)),
        },
        root,
        this.#user?.data.defaults ?? {},
      ),
    ]
  }

  #readRoutes(document: TomlDocument<ConfigDocument>): readonly RouteConfig[] {
    const names = new Set(document.keysOf('services'))
    const seen = new Set<string>()
    return Object.entries(document.data.routes ?? {}).map(([path, written]) => {
      // "/api/" and "/api" are the same: both lead to what is at and below them.
      const prefix = path.replace(/(?<=.)\/+$/, '')
      const service = typeof written === 'string' ? written : written.service
      const fault = routeFault(path, seen.has(prefix))
      seen.add(prefix)
      if (fault !== undefined) this.#report(document, ['routes', path], { at: 'key', ...fault })
      if (!names.has(service) && !document.broken) {
        const near = nearestName(service, names)
        this.#report(document, ['routes', path], {
          code: 'unknown-service',
          message: `The route "${path}" leads to "${service}", which does not exist`,
          ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }),
        })
      }
      return {
        prefix,
        service,
        stripPrefix: typeof written === 'string' ? false : (written.strip_prefix ?? false),
        place: document.source.placeOf(document.spanOf(['routes', path], 'key').start),
      }
    })
  }

  /** Files and directories that services name: an env file must exist, a directory may still be made by a task. */
  async #checkFiles(document: TomlDocument<ConfigDocument>): Promise<void> {
    const checks = this.#services.flatMap((service) => [
      ...service.envFiles.map(async ({ value }, index) => {
        if (await exists(value)) return
        const listed = Array.isArray(document.data.services?.[service.name]?.env_file)
        this.#report(document, ['services', service.name, 'env_file', ...(listed ? [index] : [])], {
          code: 'missing-file',
          message: `The env file "${value}" of "${service.name}" does not exist`,
          hint: 'Create it, or remove it from env_file',
        })
      }),
      ...(service.workdir === this.#found.root ? [] : [this.#checkWorkdir(document, service)]),
    ])
    await Promise.all(checks)
  }

  async #checkWorkdir(document: TomlDocument<ConfigDocument>, { name, workdir }: ServiceConfig): Promise<void> {
    const isDirectory = await stat(workdir).then(
      (facts) => facts.isDirectory(),
      () => false,
    )
    if (isDirectory) return
    this.#report(document, ['services', name, 'workdir'], {
      severity: 'warning',
      code: 'missing-file',
      message: `The workdir "${workdir}" of "${name}" does not exist`,
      hint: 'It is meant from the directory of this file, and must exist when the service starts',
    })
  }

  #checkBetween(document: TomlDocument<ConfigDocument>): void {
    const known = new Set(document.keysOf('services'))
    for (const fault of dependencyFaults(this.#services, known)) this.#reportPlaced(document.source, fault)
    const check = (path: readonly (string | number)[], text: string): void => {
      const span = document.spanOf(path)
      const written = document.source.text.slice(span.start, span.end)
      const placeOf = (part: string): Place => document.source.placeOf(span.start + Math.max(0, written.indexOf(part)))
      for (const fault of referenceFaults(text, placeOf, known)) this.#reportPlaced(document.source, fault)
    }
    for (const { name, value } of this.#env) check(['env', name], value)
    for (const service of this.#services) {
      const env = Object.fromEntries(service.env.map(({ name, value }) => [name, value]))
      for (const { path, text } of referringTexts({ ...service, env })) check(['services', service.name, ...path], text)
    }
  }

  #report(
    document: TomlDocument<ConfigDocument>,
    path: readonly (string | number)[],
    fault: Parameters<TomlDocument<ConfigDocument>['diagnose']>[1],
  ): void {
    this.#diagnostics.push(document.diagnose(path, fault))
  }

  #reportPlaced(source: SourceText, { place, length, ...fault }: PlacedFault): void {
    this.#diagnostics.push(source.diagnoseAt(place, length, fault))
  }
}

/** What decides whether a service has a port. */
const portKeys = ['type', 'port', 'container_port', 'image', 'env', 'health_check']

/** A misspelt key counts as the one that it is nearest to. */
function servicesWithUnclearPort(faulty: TomlDocument<unknown>['faulty']): ReadonlySet<string> {
  const unclear = faulty.filter(
    ([table, , key]) => table === 'services' && (key === undefined || nearestName(String(key), portKeys) !== undefined),
  )
  return new Set(unclear.map(([, name]) => String(name)))
}

interface SiblingProcfile {
  readonly file: string
  readonly source: SourceText
  readonly parsed: ParsedProcfile
}

function commandHint(name: string, procfile: SiblingProcfile | undefined): string {
  const add = 'Add command = "…"'
  if (procfile === undefined) return `${add}, or a line "${name}: …" in a Procfile beside this file`
  const names = procfile.parsed.entries.map((entry) => entry.name)
  const near = nearestName(name, names)
  const has = `${basename(procfile.file)} has ${names.length === 0 ? 'no lines' : `lines for ${names.join(', ')}`}`
  return near === undefined
    ? `${add}; ${has}`
    : `${add}, or name the service "${near}" as in ${basename(procfile.file)}`
}

/** Whether one of its unknown keys probably is the command. */
function hasMisspelt(document: TomlDocument<unknown>, name: string): boolean {
  return document.diagnostics.some(
    ({ code, hint, message }) =>
      code === 'unknown-key' && message.endsWith(`[services.${name}]`) && hint?.includes('"command"') === true,
  )
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

const defaultLogs: LogsConfig = { segmentBytes: 10_000_000, segments: 5, totalBytes: 1_000_000_000 }

function logsConfig(written: NonNullable<ConfigDocument['logs']>): LogsConfig {
  return {
    segmentBytes: bytesOf(written.segment_size) ?? defaultLogs.segmentBytes,
    segments: written.segments ?? defaultLogs.segments,
    totalBytes: bytesOf(written.total) ?? defaultLogs.totalBytes,
  }
}

function bytesOf(written: string | number | undefined): number | undefined {
  return written === undefined ? undefined : parseBytes(written)
}

function routeFault(path: string, isRepeated: boolean): Fault | undefined {
  if (!path.startsWith('/')) {
    const message = `The route "${path}" is not a path prefix`
    return { code: 'bad-name', message, hint: `Begin it with a slash: "/${path}"` }
  }
  if (/[?#\s\\]|\/\/|%(?![0-9A-Fa-f]{2})/.test(path)) {
    const message = `The route "${path}" is not the beginning of a path`
    return { code: 'bad-name', message, hint: 'Write it as it stands in an address, without "?", "#" and "//"' }
  }
  if (path === '/.locald' || path.startsWith('/.locald/')) {
    return {
      code: 'name-reserved',
      message: `The route "${path}" belongs to locald itself`,
      hint: 'Use another prefix',
    }
  }
  return isRepeated ? { code: 'conflict', message: `There are two routes for "${path}"` } : undefined
}

function defaultDomain(name: string): string {
  const domain = `${hostLabel(name) || 'project'}.localhost`
  return isOwnHost(domain) ? `project-${domain}` : domain
}

function worktreeOf({ label, longLabel, branch }: GitWorktree): NonNullable<Config['worktree']> {
  return { label, longLabel, branch }
}
