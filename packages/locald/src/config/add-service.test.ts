import { expect, test } from 'vitest'
import { withService } from './add-service.ts'

const service = { command: 'vite --port "$PORT"', workdir: 'web' }
const table = `[services.web]\ncommand = 'vite --port "$PORT"'\nworkdir = "web"\n`

test('a service is added at the end, and what is there stays', () => {
  const text = `# mine\n[project]\nname = "shop" # hi\n\n[services.api]\ncommand = 'x'   # keep\nport = 9_007_199_254\n# end\n`
  expect(withService(text, 'web', service)).toBe(`${text}\n${table}`)
  expect(withService('', 'web', service)).toBe(table)
  expect(withService('[project]\nname = "x"', 'web', service)).toBe(`[project]\nname = "x"\n\n${table}`)
  expect(withService('[project]\r\nname = "x"\r\n', 'web', service)).toBe(
    `[project]\r\nname = "x"\r\n\r\n${table.replaceAll('\n', '\r\n')}`,
  )
})

test('services that are written as keys or in a table of their own get another one', () => {
  expect(withService('services.api.command = "x"\n', 'web', service)).toContain(table)
  expect(withService('[services]\napi = { command = "x" }\n', 'web', service)).toContain(table)
  expect(withService('', 'a.b', { env_file: ['.env', '.env.local'] })).toBe(
    `[services."a.b"]\nenv_file = [".env", ".env.local"]\n`,
  )
})

test('where none can be added, nothing is', () => {
  expect(withService('services = { api = { command = "x" } }\n', 'web', service)).toBeNull()
  expect(withService('[services.web]\ncommand = "x"\n', 'web', service)).toBeNull()
  expect(withService('[services\n', 'web', service)).toBeNull()
  expect(withService('services = 1\n', 'web', service)).toBeNull()
})
