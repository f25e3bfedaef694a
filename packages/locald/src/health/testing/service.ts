// Real processes for tests of health: a run of its own session, ended with everything it started.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { membersOf, readProcesses, startTimeOf } from '../../lib/process-tree.ts'
import { markerVariable } from '../../lib/process-source.ts'
import type { ChildProcess } from 'node:child_process'
import type { Interface } from 'node:readline'
import type { RunIdentity } from '../../lib/process-tree.ts'

/** Prints `listening PORT` once it does. Works in any of the scripts below. */
const prelude = `
  const net = require('node:net'), http = require('node:http')
  const say = (text) => process.stdout.write(text + '\\n')
  const listen = (server, port, host, then) =>
    server.listen({ port, host, ipv6Only: host === '::1' }, () => { say('listening ' + server.address().port); then?.() })
  process.stdin.on('data', (data) => { for (const word of String(data).trim().split('\\n')) globalThis.told?.(word) })
  setInterval(() => {}, 1e6)
`
let runs = 0

export class TestService implements AsyncDisposable {
  readonly identity: RunIdentity
  readonly startedAt = Date.now()
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly #output: Interface

  private constructor(child: ChildProcess, identity: RunIdentity, output: Interface) {
    this.#child = child
    this.identity = identity
    this.#output = output
    output.on('line', (line) => this.#lines.push(line))
  }

  /** Runs Node with this script, in which `net`, `http`, `say(text)` and `listen(server, port, host)` are at hand. */
  static start(script: string, env: Readonly<Record<string, string>> = {}): TestService {
    const marker = `health-test-${process.pid}-${++runs}`
    const child = spawn(process.execPath, ['-e', prelude + script], {
      detached: true,
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env, [markerVariable]: marker },
    })
    const startTime = child.pid === undefined ? null : startTimeOf(child.pid)
    if (child.pid === undefined || startTime === null || child.stdout === null)
      throw new Error('Cannot start a service')
    const identity = { pid: child.pid, startTime, marker, lockLimit: null }
    return new TestService(child, identity, createInterface({ input: child.stdout }))
  }

  /** Every line of its output so far, and those to come until `signal` aborts. */
  async *lines(signal: AbortSignal): AsyncIterable<string> {
    for (let at = 0; ;) {
      while (at < this.#lines.length) yield this.#lines[at++] ?? ''
      try {
        await once(this.#output, 'line', { signal })
      } catch {
        return // aborted
      }
    }
  }

  /** Waits for a line that begins so, and gives the rest of it. */
  async said(beginning: string): Promise<string> {
    for await (const line of this.lines(AbortSignal.timeout(10_000)))
      if (line.startsWith(beginning)) return line.slice(beginning.length).trim()
    throw new Error(`It did not say "${beginning}", but ${JSON.stringify(this.#lines)}`)
  }

  async port(): Promise<number> {
    return Number(await this.said('listening '))
  }

  /** Calls the script's `told(word)`. */
  tell(word: string): void {
    this.#child.stdin?.write(`${word}\n`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : null
    for (const { pid } of membersOf(this.identity, readProcesses())) process.kill(pid, 'SIGKILL')
    await exited
  }
}
