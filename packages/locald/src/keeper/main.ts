// The keeper as a process: takes the place of the one keeper, starts the daemon, and goes on whatever happens.
import { closeSync, existsSync, fstatSync, readdirSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { LocaldError } from '@locald/protocol'
import { LogBound } from '../lib/bounded-log.ts'
import { readLockNote, tryFileLock } from '../lib/file-lock.ts'
import { listenersVariable, parseListeners } from '../lib/inherited-listener.ts'
import { installationFor } from '../lib/installation.ts'
import { createLogger } from '../lib/logger.ts'
import { hasCloseOnExec, setCloseOnExec } from '../lib/native.ts'
import { ownDirectory } from '../lib/own-directory.ts'
import { markerVariable } from '../lib/process-source.ts'
import { startTimeOf } from '../lib/process-tree.ts'
import { listenUnixSocket, socketPathLimit } from '../lib/unix-socket.ts'
import { DaemonProcess } from './daemon-process.ts'
import { FileReports } from './file-reports.ts'
import { Keeper } from './keeper.ts'
import { removeNotifyFiles } from './notify-address.ts'
import { ProxyListeners } from './proxy-listeners.ts'
import { KeeperSession } from './session.ts'
import type { FileLock } from '../lib/file-lock.ts'
import type { InheritedListener } from '../lib/inherited-listener.ts'
import type { Installation } from '../lib/installation.ts'
import type { Logger } from '../lib/logger.ts'

/** Where the keeper tells who started it how that went: one line, then the end. */
const reportDescriptor = 3

/** The API's socket, of a daemon whose keeper was lost: who has connected to it goes on waiting. */
const listenerDescriptor = 4

const daemonTimeoutMs = 5_000
const lockPatienceMs = 1_000

export interface KeeperProcessOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  /** The daemon's program. */
  readonly daemon: string
  /**
   * With a keeper running already: `--retry` has it try the daemon again after a crash loop, `--end` has it end all
   * services and exit. `--listener`: descriptor 4 is the API's listening socket; what else there is, the environment tells.
   */
  readonly args: readonly string[]
  readonly exit: (code: number) => void
}

/**
 * Answers on descriptor 3 with one line: `ready` (the API can be connected to), `held` (another keeper is there),
 * or `error` and `{code, message, hint}` as JSON.
 */
export function runKeeper(options: KeeperProcessOptions): void {
  const report = openReport()
  const listener = options.args.includes('--listener') ? openListener() : null
  const listeners = listener === null ? [] : parseListeners(options.env[listenersVariable]).filter(isSocket)
  delete process.env[listenersVariable]
  closeInherited([report, listener, ...listeners.map(({ fd }) => fd)])
  try {
    const installation = installationFor(options.env)
    prepare(installation)
    const lock = takeLock(installation)
    if (lock === null) {
      signalHolder(installation, options.args)
      tell(report, 'held')
      options.exit(0)
      return
    }
    removeNotifyFiles(installation.runtime)
    lock.note(`${process.pid} ${startTimeOf(process.pid) ?? 0}\n`)
    keep(installation, lock, options, { api: listener, proxy: listeners })
    tell(report, 'ready')
  } catch (error) {
    const known = error instanceof LocaldError ? error : new LocaldError('internal', String(error), { cause: error })
    createLogger((line) => writeToLog(line, null)).log('error', 'The keeper could not start', { error })
    tell(report, `error ${JSON.stringify({ code: known.code, message: known.message, hint: known.hint })}`)
    options.exit(1)
  }
}

/** Listening sockets of an installation whose keeper was lost. */
interface Inherited {
  readonly api: number | null
  readonly proxy: readonly InheritedListener[]
}

function keep(installation: Installation, lock: FileLock, options: KeeperProcessOptions, inherited: Inherited): void {
  const bound = isSameFile(2, installation.keeperLog) ? new LogBound(installation.keeperLog) : null
  const logger = createLogger((line) => writeToLog(line, bound))
  surviveErrors(logger)
  // The daemon must come to the same paths from another working directory.
  const home = options.env['LOCALD_HOME']
  if (home !== undefined && home !== '') process.env['LOCALD_HOME'] = resolve(home)
  process.chdir(installation.state) // holds on to no directory that a user may want to remove
  // What this keeper starts is its own, also when a service of another keeper started it.
  delete process.env[markerVariable]

  let api: number | null = null
  const closeApi = (): void => {
    if (api === null) return
    closeSync(api)
    unlinkSync(installation.apiSocket)
    api = null
  }
  const files = new FileReports(logger)
  const { onDamaged } = files
  const proxy = new ProxyListeners({ file: installation.proxyPorts, env: options.env, logger, onDamaged })
  proxy.adopt(inherited.proxy)
  const closeAll = (): void => {
    proxy.close()
    closeApi()
  }
  const finish = async (): Promise<void> => {
    closeAll()
    await keeper.close()
    logger.log('info', 'The keeper ends', { pid: process.pid })
    lock[Symbol.dispose]()
    options.exit(0)
  }

  const keeper = new Keeper({
    logs: installation.logs,
    runsFile: join(installation.state, 'runs.jsonl'),
    logger,
    files,
    isOwnChild: (pid) => pid === daemon.pid,
    onShutdown: (kind, program) => {
      if (program !== undefined) daemon.use(program)
      daemon.expectExit(kind)
    },
  })
  const daemon = new DaemonProcess({
    program: options.daemon,
    log: installation.daemonLog,
    crashLoopFile: join(installation.state, 'crash-loop.json'),
    logger,
    apiDescriptor: () => (api ??= listenUnixSocket(installation.apiSocket)),
    listeners: () => proxy.ensure(),
    onStarted: (socket) => new KeeperSession(keeper, socket, logger),
    // Nobody would ever answer those who connect; without a socket commands look for the note of the crash loop.
    onCrashLoop: closeAll,
    onStopped: () => void (ending ?? Promise.resolve()).then(finish),
  })

  let ending: Promise<void> | null = null
  const end = (): void => {
    if (ending !== null) return
    logger.log('info', 'The keeper was told to end')
    // The daemon must not see its services end: it would take that for crashes, and note that they failed.
    ending = keeper.endAll('asAgreed')
    daemon.stop(daemonTimeoutMs)
  }
  process.on('SIGHUP', () => {}) // the terminal it was started from has closed
  process.on('SIGUSR2', () => daemon.retry())
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, end)

  api = adoptListener(inherited.api, installation) ?? listenUnixSocket(installation.apiSocket)
  daemon.start()
  logger.log('info', 'The keeper is ready', { pid: process.pid })
}

/** The standard error is the log. A full disk costs lines of it: an exception here would end every service. */
function writeToLog(line: string, bound: LogBound | null): void {
  try {
    bound?.added(writeSync(2, line))
  } catch {
    // nowhere is left to tell it
  }
}

/** Where somebody else has the standard error, the length of the file is theirs. */
function isSameFile(fd: number, path: string): boolean {
  try {
    const [open, named] = [fstatSync(fd), statSync(path)]
    return open.ino === named.ino && open.dev === named.dev
  } catch {
    return false
  }
}

/** Services depend on this process: an error of its own ends one request or one event, nothing else. */
function surviveErrors(logger: Logger): void {
  process.on('uncaughtException', (error) => logger.log('error', 'An unexpected error', { error }))
  process.on('unhandledRejection', (error) => logger.log('error', 'An unexpected rejection', { error }))
}

function prepare(installation: Installation): void {
  const { config, data, state, runtime, logs, apiSocket } = installation
  const bytes = Buffer.byteLength(apiSocket)
  if (bytes > socketPathLimit) {
    throw new LocaldError(
      'path_too_long',
      `Cannot listen on "${apiSocket}": the path has ${bytes} bytes, and a socket may have ${socketPathLimit}`,
      { hint: 'Set LOCALD_HOME or XDG_RUNTIME_DIR to a shorter path' },
    )
  }
  for (const directory of [config, data, state, runtime, logs]) ownDirectory(directory)
}

/** Hands a wish on to the keeper that holds the lock, once it is sure that the pid in the lock is that keeper's. */
function signalHolder({ keeperLock }: Installation, args: readonly string[]): void {
  const signal = args.includes('--retry') ? 'SIGUSR2' : args.includes('--end') ? 'SIGTERM' : null
  if (signal === null) return
  const [pid = 0, startTime] = readLockNote(keeperLock).trim().split(' ').map(Number)
  if (pid > 0 && startTimeOf(pid) === startTime) process.kill(pid, signal)
}

/**
 * Null when another keeper holds the lock. One that was killed may seem to hold it for an instant: a service that it was
 * about to start has its descriptors until it runs its own program.
 */
function takeLock({ keeperLock }: Installation): FileLock | null {
  const deadline = performance.now() + lockPatienceMs
  for (;;) {
    const lock = tryFileLock(keeperLock)
    if (lock !== null || isHeldByLiving(keeperLock) || performance.now() > deadline) return lock
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
  }
}

function isHeldByLiving(keeperLock: string): boolean {
  const [pid = 0, startTime] = readLockNote(keeperLock).trim().split(' ').map(Number)
  // Between taking it and noting it there is nothing to read.
  return pid === 0 || startTimeOf(pid) === startTime
}

/** Null when it is no socket. */
function openListener(): number | null {
  try {
    return fstatSync(listenerDescriptor).isSocket() ? listenerDescriptor : null
  } catch {
    return null
  }
}

function isSocket({ fd }: InheritedListener): boolean {
  try {
    return fstatSync(fd).isSocket()
  } catch {
    return false
  }
}

/** Null when it leads nowhere any more, because somebody removed the file that it is reached by. */
function adoptListener(listener: number | null, { apiSocket }: Installation): number | null {
  if (listener === null || existsSync(apiSocket)) return listener
  closeSync(listener)
  return null
}

/** Null when the keeper was not started by the command line, which gives it a pipe. */
function openReport(): number | null {
  try {
    const kind = fstatSync(reportDescriptor)
    return kind.isFIFO() || kind.isSocket() ? reportDescriptor : null
  } catch {
    return null
  }
}

function tell(report: number | null, line: string): void {
  if (report === null) return
  try {
    writeSync(report, `${line}\n`)
    closeSync(report)
  } catch {
    // who asked is gone: nobody needs the answer
  }
}

/**
 * A shell or a build tool may have left descriptors of its own open: a keeper that held them would keep their pipes alive
 * for days, and every service would get them. Node's own are all close-on-exec; so is, made so by Node, what it inherits
 * in the lowest numbers, where nothing comes by accident from a command line that is a Node program itself.
 */
function closeInherited(kept: readonly (number | null)[]): void {
  const folder = process.platform === 'linux' ? '/proc/self/fd' : '/dev/fd'
  for (const fd of kept) if (fd !== null) setCloseOnExec(fd)
  for (const fd of readdirSync(folder).map(Number)) {
    if (fd > 2 && isInherited(fd)) closeSync(fd)
  }
}

function isInherited(fd: number): boolean {
  try {
    return !hasCloseOnExec(fd)
  } catch {
    return false // it was the folder's own, which is closed by now
  }
}
