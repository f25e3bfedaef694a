import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Shells } from './shells.ts'
import type { ShellsOptions } from './shells.ts'

let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sh-'))
})

afterEach(() => rmSync(directory, { recursive: true }))

const own = { FROM: 'the daemon' }

function shellsWith(options: Partial<ShellsOptions> = {}) {
  const login = vi.fn(async () => await Promise.resolve({ FROM: 'the login shell' }))
  const onTrouble = vi.fn()
  return { login, onTrouble, shells: new Shells({ directory, login, own, onTrouble, ...options }) }
}

test('a project has the environment of the shell that ran `up`, also in the next daemon, and no login shell is run', async () => {
  const { shells, login } = shellsWith()
  await shells.keep('shop', { FROM: 'a terminal' })
  expect(await shells.of('shop')).toEqual({ FROM: 'a terminal' })
  const next = shellsWith()
  expect(await next.shells.of('shop')).toEqual({ FROM: 'a terminal' })
  expect([login, next.login].flatMap(({ mock }) => mock.calls)).toEqual([])
})

test('where no shell is known it is that of the login shell, which is asked once', async () => {
  const { shells, login } = shellsWith()
  expect(login).not.toHaveBeenCalled()
  const all = await Promise.all([shells.of('shop'), shells.of('blog'), shells.of('shop')])
  expect(new Set(all.map(({ FROM }) => FROM))).toEqual(new Set(['the login shell']))
  expect(login).toHaveBeenCalledTimes(1)
  expect(readdirSync(directory)).toEqual([])
})

test('an `up` while the login shell is asked counts', async () => {
  let answer: (login: Record<string, string>) => void = () => undefined
  const { shells } = shellsWith({ login: async () => await new Promise((resolve) => (answer = resolve)) })
  const asked = shells.of('shop')
  await shells.keep('shop', { FROM: 'a terminal' })
  answer({ FROM: 'the login shell' })
  expect(await asked).toEqual({ FROM: 'a terminal' })
})

test("a login shell that says nothing leaves the daemon's own environment, with a warning", async () => {
  const error = new Error('it ended with 1')
  const { shells, onTrouble } = shellsWith({ login: async () => await Promise.reject(error) })
  expect([await shells.of('shop'), await shells.of('shop')]).toEqual([own, own])
  expect(onTrouble.mock.calls).toEqual([[expect.stringContaining('environment of the daemon'), error]])
})

test('a damaged environment is set aside, and the login shell is asked', async () => {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'shop.json'), '[1]')
  const { shells, onTrouble } = shellsWith()
  expect(await shells.of('shop')).toEqual({ FROM: 'the login shell' })
  expect(onTrouble).toHaveBeenCalledTimes(1)
  expect(readdirSync(directory)).toEqual([expect.stringMatching(/^shop\.json\.damaged-/)])
})
