import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { findingIds } from '@locald/protocol'
import type { DoctorReport } from '@locald/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createHarness } from '../support/harness.ts'

const report = z.strictObject({
  ok: z.boolean(),
  findings: z.array(
    z.strictObject({
      id: z.enum(findingIds),
      severity: z.enum(['ok', 'note', 'warning', 'error']),
      message: z.string().min(1),
      explanation: z.string().min(1).nullable(),
      fix: z.string().min(1).nullable(),
    } satisfies Record<keyof DoctorReport['findings'][number], z.ZodType>),
  ),
} satisfies Record<keyof DoctorReport, z.ZodType>)

test('without a daemon it answers, starts nothing and leaves nothing', async () => {
  await using harness = createHarness()
  const result = await harness.locald(['doctor', '--json'])
  const { ok, findings } = report.parse(result.json())
  expect(result.code).toBe(ok ? 0 : 1)
  expect(findings.find(({ id }) => id === 'server')).toMatchObject({ severity: 'ok', fix: null })
  expect(findings.map(({ id }) => findingIds.indexOf(id))).toEqual(
    findings.map(({ id }) => findingIds.indexOf(id)).toSorted((a, b) => a - b),
  )
  // Every trouble says why, and whoever has a way out says it.
  for (const { severity, explanation } of findings) expect(explanation === null).toBe(severity === 'ok')
  expect(existsSync(harness.home)).toBe(false)
})

test('what is wrong makes the exit code 1, with the command that mends it', async () => {
  await using harness = createHarness()
  mkdirSync(join(harness.home, 'state'), { recursive: true })
  chmodSync(join(harness.home, 'state'), 0o755)
  const { code, stdout } = await harness.locald(['doctor'])
  expect(code).toBe(1)
  expect(stdout).toContain(`! "${harness.home}/state" is open to others [directories]\n`)
  expect(stdout).toContain(`    → chmod 700 ${harness.home}/state\n`)
  expect(stdout).toMatch(/\n\n1 warning.*; each is explained in docs\/doctor\.md/u)
})

test('with a daemon it asks that, and says when it does not answer', async () => {
  await using harness = createHarness()
  await harness.project({ Procfile: 'web: node -e "require(\'http\').createServer().listen(process.env.PORT)"' }).up()
  const found = report.parse((await harness.locald(['doctor', '--json'])).json()).findings
  expect(found.find(({ id }) => id === 'server')).toMatchObject({ severity: 'ok', message: 'The daemon answers' })
  expect(found.find(({ id }) => id === 'server-version')).toMatchObject({ severity: 'ok' })
  expect(found.find(({ id }) => id === 'proxy')).toMatchObject({ severity: 'ok' })

  const { daemon } = await harness.serverStatus()
  process.kill(daemon?.pid ?? 0, 'SIGSTOP')
  try {
    const began = performance.now()
    const result = await harness.locald(['doctor', '--json'])
    expect(performance.now() - began).toBeLessThan(15_000)
    expect(result.code).toBe(1)
    const stopped = report.parse(result.json()).findings
    expect(stopped.find(({ id }) => id === 'server')).toMatchObject({
      severity: 'error',
      message: 'The daemon does not answer',
    })
  } finally {
    process.kill(daemon?.pid ?? 0, 'SIGCONT')
  }
})

test('an engine that is not there, or never answers, is only a note', async () => {
  await using harness = createHarness({ DOCKER_HOST: 'unix:///nonexistent/docker.sock' })
  const { findings } = report.parse((await harness.locald(['doctor', '--json'])).json())
  expect(findings.find(({ id }) => id === 'docker')).toMatchObject({ severity: 'note' })
})
