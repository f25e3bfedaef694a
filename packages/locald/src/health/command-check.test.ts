import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readProcesses } from '../lib/process-tree.ts'
import { commandCheck } from './command-check.ts'
import type { CommandAttempt } from './command-check.ts'

const never = new AbortController().signal
const env = { PATH: process.env['PATH'] ?? '', GREETING: 'hello' }

function attempt(command: CommandAttempt['command'], changes: Partial<CommandAttempt> = {}): CommandAttempt {
  return { command, env, cwd: tmpdir(), timeoutMs: 10_000, ...changes }
}

/** Numbers that the command printed: its processes. */
function pidsIn(output: string | undefined): readonly number[] {
  return (output ?? '').split(/\s+/).filter(Boolean).map(Number)
}

function living(pids: readonly number[]): readonly number[] {
  const table = readProcesses()
  return pids.filter((pid) => table.get(pid)?.alive === true)
}

describe('commandCheck()', () => {
  test('is healthy by exit code 0 and nothing else', async () => {
    expect(await commandCheck(attempt('exit 0'), never)).toEqual({
      ok: true,
      message: 'The health check exited with code 0',
    })
    expect(await commandCheck(attempt('exit 3'), never)).toMatchObject({
      ok: false,
      message: expect.stringContaining('3'),
    })
    expect(await commandCheck(attempt('kill -9 $$'), never)).toMatchObject({
      ok: false,
      message: 'The health check was killed by SIGKILL',
    })
  })

  test('runs in the environment and the directory of the service', async () => {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'locald-health-')))
    const result = await commandCheck(attempt('echo $GREETING; pwd; echo "${HOME-unset}"', { cwd: directory }), never)
    expect(result.output).toBe(`hello\n${directory}\nunset`)
    await rm(directory, { recursive: true })
  })

  test('runs a list without a shell, found on the PATH of the service', async () => {
    expect(await commandCheck(attempt(['printf', '%s', '$GREETING']), never)).toMatchObject({
      ok: true,
      output: '$GREETING',
    })
  })

  test('keeps the last 4 KiB of what it printed, on either stream', async () => {
    const result = await commandCheck(attempt('seq 1 3000; echo the end >&2; exit 1'), never)
    expect(result.output).toHaveLength(4096 - 1)
    expect(result.output).toContain('3000')
  })

  test('says why it could not be run', async () => {
    const missing = await commandCheck(attempt(['no-such-program']), never)
    expect(missing).toMatchObject({ ok: false, message: expect.stringContaining('no-such-program') })
    const elsewhere = await commandCheck(attempt('true', { cwd: '/no/such/directory' }), never)
    expect(elsewhere).toMatchObject({ ok: false, message: expect.stringContaining('/no/such/directory') })
  })

  test('ends everything it started when it takes too long, also what left its group or session', async () => {
    const script = 'echo $$; sleep 1000 & echo $!; timeout 1000 sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait'
    const result = await commandCheck(attempt(script, { timeoutMs: 300 }), never)
    expect(result).toMatchObject({ ok: false, message: 'The health check took longer than 300 ms' })
    const pids = pidsIn(result.output)
    expect(pids).toHaveLength(4)
    expect(living(pids)).toEqual([])
  })

  test('leaves nothing in the background after it has ended by itself', async () => {
    const result = await commandCheck(attempt('sleep 1000 >/dev/null 2>&1 & echo $!'), never)
    expect(result.ok).toBe(true)
    expect(pidsIn(result.output)).toHaveLength(1)
    expect(living(pidsIn(result.output))).toEqual([])
  })

  test('ends it when it is cancelled', async () => {
    const cancelled = new AbortController()
    const result = commandCheck(attempt('echo $$; exec sleep 1000'), cancelled.signal)
    cancelled.abort()
    expect(await result).toMatchObject({ ok: false, message: 'The health check was cancelled' })
    expect(living(pidsIn((await result).output))).toEqual([])
  })

  test('gives the command no input to wait for', async () => {
    expect(await commandCheck(attempt('cat'), never)).toMatchObject({ ok: true })
  })
})
