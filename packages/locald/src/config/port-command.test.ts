import { expect, test } from 'vitest'
import { portCommand } from './port-command.ts'

const strict = '--port "$PORT" --strictPort --host 127.0.0.1'
const plain = '--port "$PORT" --host 127.0.0.1'

const port = '--port "$PORT"'

test.each([
  ['vite', strict],
  ['vite dev', strict],
  ['vite preview', strict],
  ['./node_modules/.bin/vite --open', strict],
  ['vitepress', strict],
  ['vitepress dev docs', strict],
  ['vitepress preview docs', port],
  ['astro dev', plain],
  ['ng serve shop', plain],
  ['react-router dev', strict],
  ['remix vite:dev', strict],
  ['rsbuild', plain],
  ['rsbuild dev', plain],
  ['rspack serve', plain],
  ['next', '--port "$PORT" --hostname 127.0.0.1'],
  ['next dev --turbopack', '--port "$PORT" --hostname 127.0.0.1'],
  ['expo start', port],
  ['expo start --tunnel', port],
  ['react-native start', port],
  ['webpack serve --mode development', plain],
  ['webpack-dev-server src/index.js', plain],
  ['docusaurus start', plain],
  ['storybook dev', plain],
  ['wrangler dev', '--port "$PORT" --ip 127.0.0.1'],
  ['flask run', plain],
  ['uvicorn app:api', plain],
  ['fastapi dev app.py', plain],
  ['hugo server', '--port "$PORT" --bind 127.0.0.1'],
  ['jekyll serve', plain],
])('%s is told its port', (command, flags) => {
  expect(portCommand(command, {}).command).toBe(`${command} ${flags}`)
})

test.each([
  ['vite --host 0.0.0.0', `${port} --strictPort`],
  ['vite --host', `${port} --strictPort`],
  ['ng serve --host=0.0.0.0', port],
  ['next dev -H 0.0.0.0', port],
  ['storybook dev -h 0.0.0.0', port],
  ['wrangler dev --ip 0.0.0.0', port],
  ['wrangler dev --host example.com', `${port} --ip 127.0.0.1`],
])('%s keeps the host that is written', (command, flags) => {
  expect(portCommand(command, {}).command).toBe(`${command} ${flags}`)
})

test.each([
  'npx vite',
  'npx --yes vite@7',
  'npx -y astro@latest dev',
  'bunx vite',
  'bun x vite',
  'pnpm exec vite',
  'pnpm dlx vite',
  'yarn dlx vite',
  'npm exec vite',
  'npx @angular/cli serve',
  'env NODE_ENV=development vite',
  'cross-env A=1 B=2 vite',
  'dotenv -e .env.dev -- vite',
  'NODE_ENV=development DEBUG="a b" vite',
  'tsc -b && vite',
  'echo "a && b"; vite',
])('%s is seen through', (command) => {
  expect(portCommand(command, {}).framework, command).not.toBeNull()
})

test.each([
  'node server.js',
  'vite build',
  'vite --port 3000',
  'next dev -p 4000',
  'jekyll serve -P 4001',
  'remix dev',
  'vitepress build',
  'vue-cli-service serve',
  'vite | tee log',
  'vite &',
  'vite & node api.js',
  'vite || true',
  'vite $FLAGS',
  '(cd web && vite)',
  'vite # dev',
  'sh -c vite',
  'npx --package vite vite',
  'ng build',
  '',
  'constructor',
])('%j is left as it is', (command) => {
  expect(portCommand(command, {})).toEqual({ command, framework: null })
})

const scripts = {
  dev: 'vite',
  start: 'npm run dev',
  checked: 'tsc -b && npm run dev',
  'pnpm-start': 'pnpm dev',
  api: 'node api.js',
  both: 'concurrently "npm:dev" "npm:api"',
  circle: 'npm run circle',
  fixed: 'vite --port 8000',
}

test.each([
  ['npm run dev', `npm run dev -- ${strict}`],
  ['npm run dev -- --open', `npm run dev -- --open ${strict}`],
  ['npm start', `npm start -- -- ${strict}`],
  ['npm run checked', `npm run checked -- -- ${strict}`],
  ['npm run pnpm-start', `npm run pnpm-start -- ${strict}`],
  ['pnpm dev', `pnpm dev ${strict}`],
  ['pnpm run dev', `pnpm run dev ${strict}`],
  ['pnpm start', `pnpm start -- ${strict}`],
  ['yarn dev', `yarn dev ${strict}`],
  ['bun run dev', `bun run dev ${strict}`],
])('%s reaches the program of the script', (command, expected) => {
  expect(portCommand(command, scripts)).toEqual({ command: expected, framework: 'Vite' })
})

test.each([
  'npm run api',
  'npm run both',
  'npm run circle',
  'npm run fixed',
  'npm run none',
  'npm dev',
  'npm -w web run dev',
  'pnpm --filter web dev',
])('%s is left as it is', (command) => {
  expect(portCommand(command, scripts)).toEqual({ command, framework: null })
})
