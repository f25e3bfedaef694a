// Services in the states that pages are about.
import type { ServiceDescription } from '../service-description.ts'

const at = '2026-01-31T09:05:00.000Z'
const lines = (...texts: readonly string[]): ServiceDescription['lines'] => texts.map((text) => ({ at, text }))

const plain: ServiceDescription = {
  service: 'web',
  project: 'shop',
  state: 'running',
  health: 'healthy',
  since: at,
  summary: 'web is running and healthy (tcp)',
  chain: [{ service: 'web', state: 'running', reason: 'healthy' }],
  exit: null,
  evidence: null,
  linesOf: 'web',
  lines: [],
  port: 21_233,
  foundPorts: [],
  steps: [],
}

/** `web` as it is when all is well, but for what is given. */
export function described(changes: Partial<ServiceDescription> = {}): ServiceDescription {
  return { ...plain, ...changes }
}

export const waiting = described({
  state: 'waiting',
  health: 'none',
  summary: 'web is waiting, because db is starting: no listener yet',
  chain: [
    { service: 'web', state: 'waiting', reason: 'waits for api to be healthy (waiting)' },
    { service: 'api', state: 'waiting', reason: 'waits for db to be healthy (starting), and 1 more' },
    { service: 'db', state: 'starting', reason: 'Nothing listens on port 20541 yet' },
  ],
  linesOf: 'db',
  lines: lines(
    '\u001b[2m09:05:00.112\u001b[0m \u001b[36mINFO\u001b[0m  starting PostgreSQL 16.4 on x86_64-pc-linux-gnu',
    '\u001b[2m09:05:00.131\u001b[0m \u001b[33mWARN\u001b[0m  database system was not properly shut down; \u001b[1mautomatic recovery in progress\u001b[0m',
    '\u001b[2m09:05:00.140\u001b[0m \u001b[36mINFO\u001b[0m  redo starts at 0/1523A60',
  ),
})

export const starting = described({
  state: 'starting',
  health: 'starting',
  chain: [{ service: 'web', state: 'starting', reason: 'Nothing listens on port 21233 yet' }],
  lines: lines(
    '',
    '> shop@0.0.0 dev',
    '> vite --port 21233',
    '',
    '  \u001b[32m\u001b[1mVITE\u001b[22m v7.1.2\u001b[39m  \u001b[2mforced re-optimization of dependencies\u001b[22m',
  ),
})

export const failed = described({
  state: 'failed',
  health: 'none',
  summary: 'web has failed: exited with code 1',
  chain: [{ service: 'web', state: 'failed', reason: 'exited with code 1, 5 times within 60 s' }],
  exit: { code: 1, signal: null, at, reason: 'exited with code 1' },
  evidence: "Error: Cannot find module 'express'",
  lines: lines(
    'node:internal/modules/cjs/loader:1228',
    '  throw err;',
    '  ^',
    '',
    "\u001b[31mError: Cannot find module 'express'\u001b[39m",
    'Require stack:',
    '- /home/ann/shop/server.js',
    '    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15) {',
    "  code: \u001b[32m'MODULE_NOT_FOUND'\u001b[39m,",
    '}',
    'Node.js v20.20.2',
  ),
  steps: [
    { text: 'Install its packages (in /home/ann/shop)', command: 'npm install' },
    { text: 'Then start it again', command: 'locald up web' },
  ],
})

export const elsewhere = described({
  state: 'starting',
  health: 'unhealthy',
  chain: [{ service: 'web', state: 'starting', reason: 'Listens on port 5173, not on 21233' }],
  foundPorts: [5173],
  steps: [
    {
      text: 'Set port = 5173 (locald.toml:4), or let its command listen on $PORT, such as --port $PORT',
      command: null,
    },
    { text: 'Then start it again', command: 'locald up web' },
  ],
  lines: lines(
    '  \u001b[32m➜\u001b[39m  \u001b[1mLocal\u001b[22m:   \u001b[36mhttp://localhost:\u001b[1m5173\u001b[22m/\u001b[39m',
  ),
})

export const stopped = described({
  state: 'stopped',
  health: 'none',
  summary: 'web is stopped: it was stopped (killed by SIGTERM)',
  chain: [{ service: 'web', state: 'stopped', reason: 'it was stopped' }],
  exit: { code: null, signal: 'SIGTERM', at, reason: 'killed by SIGTERM' },
})
