// What the root of a trouble rests on, and what to do about it.
import { basename } from 'node:path'
import type { LogLine, PortRow, ServiceSnapshot } from '@locald/protocol'
import type { CheckRecord } from '../health/monitor.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { Instance } from '../supervisor/instance.ts'
import { isTroubled, tellingLine } from './telling-line.ts'

/** What is known of one instance. */
export interface WhyFacts {
  /** `web`, or `web.2` with replicas. */
  readonly label: string
  readonly service: ServicePlan
  readonly snapshot: ServiceSnapshot
  /** Null: it was never planned to run. */
  readonly instance: Instance | null
  readonly ports: readonly PortRow[]
  /** Null: its health is not watched now. */
  readonly lastCheck: CheckRecord | null
  /** Of its last run, oldest first. */
  readonly lines: readonly LogLine[]
}

export interface Cause {
  /** The most telling of what it wrote, or of what its check wrote; null when neither says anything. */
  readonly evidence: string | null
  /** One step each, the likeliest to help first. */
  readonly advice: readonly string[]
}

/** Somebody who listens on the port that a service said is taken. */
export interface Rival {
  readonly port: number
  /** `pid 12 (nginx)`. */
  readonly holder: string
}

/** The port that a service said it cannot have; null when it said nothing like that. */
export function takenPort(lines: readonly LogLine[]): number | null {
  const line = tellingLine(lines.map(({ text }) => text)) ?? ''
  if (!/EADDRINUSE|address already in use|port \d+ is (?:already )?in use/iu.test(line)) return null
  // As a word, or behind the last colon or comma of an address.
  const port = Number(/port (\d{2,5})\b/iu.exec(line)?.[1] ?? /.*[:,] ?(\d{2,5})\b/u.exec(line)?.[1] ?? Number.NaN)
  return Number.isInteger(port) && port > 0 && port <= 65_535 ? port : null
}

/** Pure. */
export function causeOf(facts: WhyFacts, rival: Rival | null): Cause {
  const { label, snapshot, service } = facts
  const logs = `See all it wrote: locald logs ${label}`
  const again = `Then start it again: locald up ${service.name}`
  switch (snapshot.state) {
    case 'failed':
    case 'backoff':
      return endedCause(facts, rival, { logs, again })
    case 'scheduled': {
      const now = `Run it now: locald restart ${service.name}`
      if (snapshot.reason === null) return { evidence: null, advice: [now] }
      return endedCause(facts, rival, { logs, again: now })
    }
    case 'starting':
    case 'running':
      if (snapshot.state === 'running' && snapshot.health.status === 'healthy') return { evidence: null, advice: [] }
      return unhealthyCause(facts, logs)
    case 'stopped': {
      const held = heldPort(facts.ports)
      if (held === null) return { evidence: null, advice: [`Start it: locald up ${service.name}`] }
      return {
        evidence: null,
        advice: [`End ${held}, or choose another port (${placeOf(facts)})`, `Start it: locald up ${service.name}`],
      }
    }
    case 'idle':
      return { evidence: null, advice: [`Start it now: locald up ${service.name}`] }
    case 'waiting':
    case 'stopping':
    case 'completed':
      return { evidence: null, advice: [] }
    default:
      return { evidence: null, advice: [logs] }
  }
}

/** `3000, which pid 12 (nginx) holds`: a port of its own on which somebody else listens. */
export function heldPort(rows: readonly PortRow[]): string | null {
  const row = rows.find(({ kind, holder }) => kind === 'fixed' && holder !== null)
  return row === undefined ? null : `${describeHolder(row.holder)}, which listens on port ${row.port}`
}

export function describeHolder(holder: PortRow['holder']): string {
  if (holder?.pid === null || holder?.pid === undefined) return `a process of user ${holder?.user ?? 'unknown'}`
  return holder.command === null ? `pid ${holder.pid}` : `pid ${holder.pid} (${holder.command})`
}

interface Steps {
  readonly logs: string
  readonly again: string
}

function endedCause(facts: WhyFacts, rival: Rival | null, { logs, again }: Steps): Cause {
  const { snapshot, instance } = facts
  const reason = snapshot.reason ?? snapshot.exit?.reason ?? ''
  const refused = refusalAdvice(facts, reason)
  if (refused !== null) return { evidence: null, advice: [refused, again] }
  // It failed before it ran: what an earlier run wrote says nothing of it.
  const hasRun = instance === null || snapshot.exit !== null
  if (reason.startsWith('dependency '))
    return { evidence: null, advice: [`Start it again: locald up ${facts.service.name}`] }
  const written = hasRun ? tellingLine(facts.lines.map(({ text }) => text)) : null
  if (reason.includes('became unhealthy')) {
    const { health } = snapshot
    return { evidence: health.message ?? written, advice: [logs, again] }
  }
  const remedy = written === null ? null : remedyFor(written, facts, rival)
  const later = snapshot.state === 'backoff' ? 'It is started again by itself' : again
  const isContainer = facts.service.config.container !== undefined
  const silence =
    written === null && hasRun && !isContainer
      ? `It wrote nothing. Run its command by hand in ${facts.service.config.workdir}`
      : null
  return {
    evidence: written,
    advice: [remedy, silence, written === null ? null : logs, later].filter((step) => step !== null),
  }
}

/** Where the reason says it all: what could not be spawned, or was ended by the kernel. */
function refusalAdvice(facts: WhyFacts, reason: string): string | null {
  if (reason.startsWith('The command "')) return commandAdvice(/^The command "([^"]*)"/u.exec(reason)?.[1] ?? '', facts)
  if (reason.startsWith('The working directory "'))
    return `Create that directory, or correct "workdir" (${placeOf(facts)})`
  if (reason.includes('env file')) return `Put that file right, or take it out of "env_file" (${placeOf(facts)})`
  if (reason.endsWith('is not executable'))
    return `Make it executable (chmod +x), or correct the command (${placeOf(facts)})`
  if (reason.startsWith('cannot pull the image'))
    return `Correct "image" (${placeOf(facts)}), or log in to its registry: docker login`
  if (reason.startsWith('command not found in the image'))
    return `Correct the command or the entrypoint (${placeOf(facts)}): they are looked for in the image`
  if (/^(?:no Docker engine|this user may not use the Docker engine|the Docker engine at)/u.test(reason))
    return `Start an engine, or name another one: DOCKER_HOST`
  if (/out of memory/u.test(reason))
    return 'Give it more memory: the limit is that of the container, of the engine (docker info), or of the machine that the engine runs on'
  if (/^port \d+ is held by/u.test(reason)) return `End that process, or choose another port (${placeOf(facts)})`
  return null
}

function commandAdvice(command: string, facts: WhyFacts): string {
  return `Install "${command}", or correct the command (${placeOf(facts)}); what is on the PATH is that of the shell that ran "locald up"`
}

/** What mends it, where the line that a service wrote is one that many write. */
function remedyFor(line: string, facts: WhyFacts, rival: Rival | null): string | null {
  const { service } = facts
  if (rival !== null) {
    const given = facts.instance === null ? undefined : service.instances[0]?.port
    const other =
      given === undefined || given === null || given === rival.port ? '' : `, or let it listen on $PORT (${given})`
    return `End ${rival.holder}, which listens on port ${rival.port}${other}`
  }
  if (/EADDRINUSE|address already in use/iu.test(line))
    return 'Let it listen on $PORT, which is free, or end what has that port'
  const command = /(?:^|: )(?:\d+: )?([\w./@+-]+): (?:command )?not found$/u.exec(line)?.[1]
  if (command !== undefined) return commandAdvice(command, facts)
  const variable = missingVariable(line)
  if (variable !== null) {
    return `Set ${variable} in .env or in "env" (${placeOf(facts)}); what it gets now: locald env ${service.name}`
  }
  const module = /cannot find (?:module|package) '([^']+)'/iu.exec(line)?.[1]
  if (module !== undefined) {
    return /^[./]/u.test(module)
      ? `Correct that path, or build what it leads to`
      : `Install its packages: npm install (in ${service.config.workdir})`
  }
  if (/no module named/iu.test(line))
    return `Install its packages, or run "locald up" in a shell with its virtual environment`
  if (/cannot load such file/iu.test(line)) return `Install its gems: bundle install (in ${service.config.workdir})`
  return null
}

/** `DATABASE_URL`, of a line that misses it. */
function missingVariable(line: string): string | null {
  if (!/\b(?:un)?(?:set|defined|required|missing|provided?|environment|KeyError)\b/iu.test(line)) return null
  const names = line.match(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/gu) ?? []
  return names.find((name) => !/^(?:ERR|E|GLIBC|GLIBCXX|CXXABI)_|_ERR(?:OR)?$|^MODULE_NOT_FOUND$/u.test(name)) ?? null
}

function unhealthyCause(facts: WhyFacts, logs: string): Cause {
  const { snapshot, lastCheck, instance } = facts
  const message = lastCheck?.message ?? snapshot.health.message ?? ''
  const output = lastCheck?.output ?? instance?.memory.health?.output ?? null
  const said = output === null ? null : tellingLine(output.split('\n'))
  const written = tellingLine(facts.lines.map(({ text }) => text).filter(isTroubled))
  return { evidence: said ?? written, advice: [...checkAdvice(message, facts), logs].filter((step) => step !== '') }
}

function checkAdvice(message: string, facts: WhyFacts): readonly string[] {
  const { service, label, snapshot } = facts
  const { healthCheck: check, listening } = service.config
  const port = service.instances.find(({ instance }) => instance === snapshot.instance)?.port ?? null
  if (/is held by/u.test(message)) {
    return [
      `End that process, or choose another port (${placeOf(facts)}); if it serves this service, say so: owner = "any"`,
    ]
  }
  const elsewhere = /^Listens on port (\d+), not on/u.exec(message)?.[1]
  if (elsewhere !== undefined) {
    return [`Set port = ${elsewhere} (${placeOf(facts)}), or let its command listen on $PORT, such as --port $PORT`]
  }
  const container = containerAdvice(message, facts)
  if (container !== null) return [container]
  const status = / answered (\d{3})(?:, expected .*)?$/u.exec(message)?.[1]
  if (status === '404') return [`Correct "path" of its health_check (${placeOf(facts)}), or let it answer there`]
  if (status === '401' || status === '403')
    return [`Let its health_check send "headers", or accept that "status" (${placeOf(facts)})`]
  if (status !== undefined && status >= '500') return [`It answers, with an error of its own: see what it wrote`]
  if (status !== undefined) {
    return [`Correct "path" or "status" of its health_check (${placeOf(facts)}), or let it answer otherwise`]
  }
  if (check?.type === 'command') {
    const command = typeof check.command === 'string' ? `sh -c '${check.command}'` : check.command.join(' ')
    return [`Run the check by hand: locald run ${label} -- ${command}`]
  }
  if (check?.type === 'log') return [`Compare its output with "pattern" of its health_check (${placeOf(facts)})`]
  if (check?.type === 'notify') {
    const refused = facts.instance?.memory.notify?.refused ?? 0
    const stranger = refused > 0 ? ', from a process that it has started: others do not count' : ''
    return [`Let it send READY=1 to $NOTIFY_SOCKET${stranger}`]
  }
  if (listening === 'must' || check?.type === 'http' || check?.type === 'tcp') {
    const none = check === undefined ? `; if it listens nowhere, say so: type = "worker"` : ''
    return [
      `Let it listen on $PORT (${port ?? 'none'}), such as --port $PORT, or say where it listens: port = N${none}`,
    ]
  }
  return []
}

/** For a published port behind which nobody can be reached. */
function containerAdvice(message: string, facts: WhyFacts): string | null {
  const inward = /^Listens on .*:(\d+) in the container, where nobody/u.exec(message)?.[1]
  if (inward !== undefined) return `Let it listen on 0.0.0.0:${inward} in the container`
  const silent = /^Nothing listens on port (\d+) in the container/u.exec(message)?.[1]
  return silent === undefined
    ? null
    : `Let it listen on port ${silent} in the container ($PORT there), or correct "container_port" (${placeOf(facts)})`
}

/** `locald.toml:12`. */
function placeOf({ service }: WhyFacts): string {
  const { file, line } = service.config.place
  return `${basename(file)}:${line}`
}
