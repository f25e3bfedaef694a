// Starts a daemon: reads the journal, meets the keeper, goes on with what runs, then serves the API.
import { appendFileSync, existsSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir, userInfo } from 'node:os'
import { Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import type { LocaldEvent } from '@locald/protocol'
import { createApi } from '../api/api-app.ts'
import { Journal } from '../events/journal.ts'
import type { FoundContainer } from '../container/container-order.ts'
import type { DockerRunner } from '../container/docker-runner.ts'
import { ListenerWatch } from '../health/listener-watch.ts'
import type { HealthDependencies } from '../health/monitor.ts'
import { startMonitor } from '../health/start-monitor.ts'
import { connectKeeper } from '../keeper/client.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import { containerNotifyPath, notifyAddress } from '../keeper/notify-address.ts'
import type { Fact, KeeperHello } from '../keeper/protocol.ts'
import { LogBound } from '../lib/bounded-log.ts'
import { listenersVariable, parseListeners } from '../lib/inherited-listener.ts'
import { installationFor } from '../lib/installation.ts'
import { bootId } from '../lib/boot-id.ts'
import { createLogger } from '../lib/logger.ts'
import { loginEnvironment } from '../lib/login-environment.ts'
import type { Login } from '../lib/login-environment.ts'
import { version } from '../lib/version.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { runLines } from '../logs/run-lines.ts'
import { applyChange, emptyState, restoreState, storeState } from '../supervisor/state.ts'
import type { Change, StoredState, SupervisorState } from '../supervisor/state.ts'
import { Supervisor } from '../supervisor/supervisor.ts'
import type { NewEvent } from '../supervisor/supervisor-dependencies.ts'
import { findAdoptions } from './adoption.ts'
import type { Candidate } from './adoption.ts'
import { Aliases } from './aliases.ts'
import { Catalog } from './catalog.ts'
import { collectWhenQuiet } from './collect-when-quiet.ts'
import { createContainers, startContainerMonitor } from './containers.ts'
import { Daemon } from './daemon.ts'
import { followNames } from './follow-names.ts'
import { IdleTimer } from './idle-timer.ts'
import { InputWatch } from './input-watch.ts'
import { KnownEngines } from './known-engines.ts'
import { NameLookups } from './name-lookups.ts'
import { ownAddresses } from './own-addresses.ts'
import type { OwnAddresses } from './own-addresses.ts'
import { logTarget, prepareCheck, prepareRun } from './prepare-run.ts'
import { DnsService } from './dns-service.ts'
import { LogRecords } from './log-records.ts'
import { logSourceOf } from './log-source.ts'
import { LogTroubles } from './log-troubles.ts'
import { ProxyControl, proxyPortsOf } from './proxy-control.ts'
import { PublicNames } from './public-names.ts'
import { keeperLoss, lossesVariable, replaceKeeper } from './replace-keeper.ts'
import { watchServiceFiles } from './service-files.ts'
import { Shells } from './shells.ts'
import { Strays } from './strays.ts'
import { remainingSurvivors } from './survivors.ts'
import { TrustState } from './trust-state.ts'
import { systemClock } from './system-clock.ts'

/** Descriptors that the keeper hands down. */
const apiDescriptor = 3
const keeperDescriptor = 4

export interface DaemonProcess {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The keeper's program, for when the keeper is lost. */
  readonly keeperProgram: string
  /** That of the proxy's thread. Read when the daemon starts: an upgrade of the package changes nothing under it. */
  readonly proxyProgram: string
  /** Ends the process at once. */
  readonly exit: (code: number) => never
}

export async function runDaemon({ env, keeperProgram, proxyProgram, exit }: DaemonProcess): Promise<void> {
  const startedAt = Date.now()
  const installation = installationFor(env)
  const proxyListeners = parseListeners(env[listenersVariable])
  const keeperLosses = env[lossesVariable]
  delete process.env[listenersVariable]
  delete process.env[lossesVariable]
  const logBound = new LogBound(installation.daemonLog)
  const logger = createLogger((line) => appendToLog(installation.daemonLog, line, logBound))
  const fail = (error: unknown): never => {
    logger.log('error', 'Unexpected error; services run on, the next daemon takes over', { error })
    return exit(70)
  }
  process.on('uncaughtException', fail)
  process.on('unhandledRejection', fail)

  const proxyText = readFile(proxyProgram, 'utf8')
  const troubles: string[] = []
  const onTrouble = (message: string, error?: unknown): void => {
    logger.log('warn', message, { error })
    troubles.push(message)
  }
  const { journal, state } = openJournal(installation.journal, onTrouble)
  const keeper = connectKeeper(new Socket({ fd: keeperDescriptor }))
  const early = collectFacts(keeper)
  const logTroubles = new LogTroubles(keeper)
  let keeperSince = Date.now()
  keeper.onLost(() => {
    logger.log('error', 'The keeper is gone')
    const { count, delayMs } = keeperLoss(Date.now() - keeperSince, keeperLosses)
    if (delayMs === null) {
      logger.log('error', 'Keepers are lost as soon as they are started; the next command tries again', { count })
    } else {
      waitFor(delayMs)
      const pid = replaceKeeper({
        program: keeperProgram,
        log: installation.keeperLog,
        listener: apiDescriptor,
        proxyListeners,
        losses: count,
      })
      logger.log('info', 'Another keeper was started', { pid, count })
    }
    exit(1)
  })
  const hello = await keeper.request('hello', { version, ack: 0 })
  keeperSince = hello.startedAt
  logTroubles.add(hello.troubles ?? [])
  troubles.push(...(hello.warnings ?? []))
  const grew = new Set<(stream: string) => void>()
  keeper.onGrew((stream) => grew.forEach((listener) => listener(stream)))
  const onGrew = (listener: (stream: string) => void): (() => void) => {
    grew.add(listener)
    return () => void grew.delete(listener)
  }

  const own = withoutUndefined(env)
  const login = async () => await loginEnvironment(loginOf(own))
  const shells = new Shells({ directory: installation.shells, login, own, onTrouble })
  const catalog = new Catalog({ home: env['HOME'] ?? homedir(), userConfigFile: installation.userConfig })
  const listeners = new ListenerWatch({ keeper: hello.pid })
  const { config, data, state: states, runtime } = installation
  const ownDirectories = [config, data, states, runtime]
  const health: HealthDependencies = {
    listeners,
    lines: (run, signal) => {
      const { source, run: number } = logSourceOf(state, run, installation.logs)
      const unwritten = logTroubles.unwrittenOf(source.stream)
      return runLines({ ...source, unwritten }, number, { signal, onGrew })
    },
  }
  const engines = new KnownEngines(installation.engines, {
    onDamaged: onTrouble,
    onUnwritten: (error) => logger.log('warn', 'Cannot note which engine is used', { error }),
  })
  const containers: DockerRunner = createContainers({
    installation: installation.state,
    logs: installation.logs,
    runtime: installation.runtime,
    keeper,
    state,
    logger,
    engines,
    supervisor: () => supervisor,
  })
  const ports = proxyPortsOf(proxyListeners)
  let look: () => void = () => undefined
  const lookups = new NameLookups(() => look())
  const dns = new DnsService({ file: installation.dnsSetup, logger })
  const trust = new TrustState({
    authorities: installation.authorities,
    trustFile: installation.trustFile,
    onChange: () => look(),
  })
  const aliases = new Aliases(installation.aliases, () => look(), onTrouble)
  const names = new PublicNames({
    state,
    aliases: () => aliases.ports,
    ports,
    file: installation.hostHolders,
    onDamaged: onTrouble,
    lookups,
    isTrusted: (host) => trust.isTrusted(host),
    logger,
  })
  names.settle()
  await trust.look(names.hosts)
  let proxy: ProxyControl | null = null
  let proxyMade: () => void = () => undefined
  // What is started while the daemon takes over is told the same as at any other time.
  const hasProxy = new Promise<void>((resolve) => (proxyMade = resolve))
  const addresses = async (plan: Plan, service: ServicePlan): Promise<OwnAddresses> => {
    await hasProxy
    return await ownAddresses(plan, service, { names, trust, proxy })
  }
  const supervisor: Supervisor = new Supervisor(state, {
    keeper,
    record: (event, changes) => record(journal, event, changes),
    batch: (work) => journal.batch(work),
    prepare: async (place, run, siblings) =>
      await prepareRun(place, run, {
        siblings,
        shells,
        listeningPorts: async () => await listeners.ports(),
        reservedPorts: (project) => daemon.reservedPorts(project),
        installation: installation.state,
        notifyAddress: (id) => (hello.protocol < 2 ? null : notifyAddress(id, installation.runtime)),
        containerNotifyPath: (id) => (hello.protocol < 2 ? null : containerNotifyPath(id, installation.runtime)),
        logBytes: () => largestLogLimit(state),
        addresses,
      }),
    prepareCheck: async (place, siblings) => await prepareCheck(place, siblings, { shells, addresses }),
    watchFiles: (place, since, report) => watchServiceFiles(place, { since, excluded: ownDirectories }, report),
    startMonitor: (subject, report) => startMonitor(subject, report, health),
    containers,
    startContainerMonitor: (subject, place, report) =>
      startContainerMonitor(containers, subject, place, report, health),
    logOf: ({ project: { plan }, instance }, run) => ({
      ...logTarget(plan.id, instanceKey(instance.service, instance.instance), run.number, plan.config.logs),
      totalBytes: largestLogLimit(state),
    }),
    warningsOf: (project) => [...names.warningsOf(project), ...logTroubles.warnings],
    publicUrlOf: (plan, service) => names.urlOf(plan, service),
    drain: (place) => proxy?.drain(place) ?? null,
    heldPorts: async (ports) => await daemon.heldPorts(ports),
    remainingSurvivors,
    newRunId: () => randomBytes(8).toString('hex'),
    clock: systemClock,
    logger,
  })
  const strays = new Strays(keeper, logger)
  const daemon = new Daemon({
    names,
    lookups,
    aliases,
    trust,
    dns,
    ports,
    supervisor,
    journal,
    keeper,
    hello,
    strays,
    terminals: {
      terminal: (run) => containers.terminal(run),
      onTerminal: (listener) => containers.onTerminal(listener),
    },
    catalog,
    shells,
    installation,
    onGrew,
    onTyped: (stream) => inputWatch.look(stream),
    logTroubles,
    logger,
    startedAt,
    troubles,
    exit: () => {
      server.close()
      // Streams would hold it open for ever; their clients come back to whoever is there next.
      if ('closeAllConnections' in server) server.closeAllConnections()
      exit(0)
    },
  })

  const records = new LogRecords({ state, keeper, logBytes: () => largestLogLimit(state) })
  // What went down with an earlier keeper has no place any more: its runs are over.
  const ofThisKeeper = journal.recent.filter(({ at }) => Date.parse(at) >= hello.startedAt)
  const caughtUp = records.catchUp(ofThisKeeper, (stream) => ({
    directory: join(installation.logs, stream),
    unwritten: logTroubles.unwrittenOf(stream),
  }))
  caughtUp.catch((error: unknown) => logger.log('warn', 'Cannot see what is recorded already', { error }))
  journal.subscribe(null, (event) => records.hear(event))
  journal.subscribe(null, () => containers.refreshReach())
  journal.append((seq, at) => ({ seq, at, type: 'daemon.started', pid: process.pid, version }), [])
  // With a journal they are known, and whether they still run is asked in the background.
  const found = state.projects.size === 0 ? await containers.found(engines.all) : []
  const candidates = [...hello.runs, ...found.map((each) => candidateOf(each, hello))]
  const adopted = await findAdoptions(candidates, state, catalog, logger)
  const isStopped = existsSync(installation.stoppedMark)
  early.deliver((facts) => {
    strays.add(supervisor.resume(hello, { facts, boot: bootId(), isStopped, adopted, troubles }))
    for (const fact of facts) strays.fact(fact)
  })
  if (isStopped) rmSync(installation.stoppedMark, { force: true })
  keeper.onFact((fact) => {
    strays.fact(fact)
    supervisor.fact(fact)
  })
  containers.sweep(engines.all, async (late) => {
    supervisor.adopt(
      await findAdoptions(
        late.map((each) => candidateOf(each, hello)),
        state,
        catalog,
        logger,
      ),
    )
  })
  look = followNames({ journal, names, lookups, trust, supervisor, refresh: () => proxy?.refresh() })
  const idle = new IdleTimer({
    isBusy: () => supervisor.isBusy || aliases.ports.size > 0,
    onIdle: () => daemon.stopUnused(),
  })
  const inputWatch = new InputWatch({ supervisor, keeper, logs: installation.logs, onGrew, logger })
  const app = createApi(daemon, logger)
  const server = createAdaptorServer({ fetch: app.fetch })
  // An answer may go on: whoever follows logs or events uses the daemon as long.
  server.on(
    'request',
    (_request, response) => void idle.during(new Promise((resolve) => response.once('close', resolve))),
  )
  server.listen({ fd: apiDescriptor })
  const happened = collectWhenQuiet((error) => logger.log('warn', 'Cannot collect garbage', { error }))
  journal.subscribe(null, happened)

  // Commands are answered from here on, while the thread of the proxy starts.
  if (ports === null) {
    troubles.push(missingPorts(env[listenersVariable]))
  } else {
    proxy = new ProxyControl({
      state,
      names,
      listeners: proxyListeners,
      program: await proxyText,
      authorities: installation.authorities,
      rootsFile: trust.rootsFile,
      isTrusted: (host) => trust.isTrusted(host),
      aliases: () => aliases.ports,
      logger,
      describe: async (project, service) => await daemon.describeService(project, service),
      onListening: () => supervisor.countRequests(),
      onWanted: (project, service) => supervisor.requested(project, service),
      onActivity: (project, service, activity) => supervisor.activity(project, service, activity),
    })
    proxy.refresh()
  }
  proxyMade()
  journal.subscribe(null, (event) => {
    if ('project' in event) proxy?.changed(event.project)
  })
  onGrew((stream) => proxy?.changed(stream.slice(0, stream.indexOf('/'))))
  // Until now the system had nobody to ask for what is below these suffixes.
  if (await dns.look()) await lookups.look(names.hosts, { now: true })
}

/** Set by a session or its terminal, never by a profile: without them programs had no language and no colours. */
const ofTheSession =
  /^(?:LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLORTERM|XDG_.*|DBUS_SESSION_BUS_ADDRESS|DISPLAY|WAYLAND_DISPLAY|XAUTHORITY)$/

function loginOf(own: Readonly<Record<string, string>>): Login {
  const { username, shell, homedir: home } = userInfo()
  const session = Object.fromEntries(Object.entries(own).filter(([name]) => ofTheSession.test(name)))
  return { user: username, shell, home, session }
}

/** With what the keeper has heard of it. */
function candidateOf(container: FoundContainer, { containers = [] }: KeeperHello): Candidate {
  const notified = containers.find(({ run }) => run === container.run)?.notified
  return { ...container, identity: null, exited: null, ...(notified === undefined ? {} : { notified }) }
}

/** Why there is no proxy, and what to do about it. */
function missingPorts(listed: string | undefined): string {
  return listed === undefined
    ? 'Services have no names: the keeper is of an older version. To replace it: locald server stop, then any command'
    : 'Services have no names: a port for them cannot be had, and the log of the keeper says why'
}

/** The projects may differ; one that asks for little must not cost another its logs. */
function largestLogLimit({ projects }: SupervisorState): number {
  return Math.max(...[...projects.values()].map(({ planned }) => planned.plan.config.logs.totalBytes))
}

function openJournal(
  directory: string,
  onTrouble: (message: string, error?: unknown) => void,
): { readonly journal: Journal<LocaldEvent, Change>; readonly state: SupervisorState } {
  let state = emptyState()
  const journal = Journal.open<LocaldEvent, Change>(
    { directory, now: () => new Date(), onTrouble },
    ({ stored, changes }) => {
      if (stored !== null) state = restoreState(stored as StoredState) // written by `storeState`, in the same format
      for (const each of changes) applyChange(state, each)
    },
    () => storeState(state),
  )
  return { journal, state }
}

function record(journal: Journal<LocaldEvent, Change>, event: NewEvent | null, changes: readonly Change[]): void {
  if (event === null && changes.length === 0) return
  journal.append(event === null ? null : (seq, at) => ({ ...event, seq, at }), changes)
}

/** Facts follow the answer to hello at once; they are held until there is somebody to take them. */
function collectFacts(keeper: KeeperLink): { deliver(to: (facts: readonly Fact[]) => void): void } {
  const held: Fact[] = []
  keeper.onFact((fact) => held.push(fact))
  return { deliver: (to) => to(held) }
}

/** Blocks: without a keeper nothing that this daemon could still do would be right, and who connects waits for the next. */
function waitFor(ms: number): void {
  if (ms > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** A full disk costs lines of the log, and no daemon. */
function appendToLog(path: string, line: string, bound: LogBound): void {
  try {
    appendFileSync(path, line, { mode: 0o600 })
    bound.added(line.length)
  } catch {
    // nowhere is left to tell it
  }
}

function withoutUndefined(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
