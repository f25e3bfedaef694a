import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const examples = readdirSync(join(root, 'examples')).map((name) => join('examples', name))

const pages = ['.', 'docs', 'docs/decisions', ...examples].flatMap((directory) =>
  readdirSync(join(root, directory))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(directory, name)),
)

test.each(pages)('every link in %s leads to a file', (page) => {
  const text = readFileSync(join(root, page), 'utf8')
  const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/gu)].map(([, target = '']) => target)
  const broken = targets.filter((target) => !existsSync(join(root, dirname(page), target)))
  expect(broken).toEqual([])
})

// A decision may be about what is not built yet.
const present = pages.filter((page) => !page.startsWith('docs/decisions/'))

test.each(present)('every path of the source that %s names exists', (page) => {
  const text = readFileSync(join(root, page), 'utf8')
  const whole = /`((?:packages|tests|scripts|examples|benchmarks|docs)\/[\w./-]+)`/gu
  // As ARCHITECTURE.md shortens them: below packages/locald/src.
  const short =
    /`((?:admin|api|bin|certificates|cli|client|config|container|daemon|events|health|keeper|lib|logs|plan|proxy|supervisor|trust)\/[\w./-]*)`/gu
  const paths = [
    ...[...text.matchAll(whole)].map(([, path = '']) => path),
    ...[...text.matchAll(short)].map(([, path = '']) => join('packages/locald/src', path)),
  ]
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test('docs/README.md names every page and docs/decisions/README.md every decision', () => {
  for (const directory of ['docs', 'docs/decisions']) {
    const index = readFileSync(join(root, directory, 'README.md'), 'utf8')
    const files = readdirSync(join(root, directory)).filter((name) => name.endsWith('.md') && name !== 'README.md')
    expect(files.filter((name) => !index.includes(`](${name})`))).toEqual([])
  }
})

test('docs/README.md names every example', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8')
  expect(examples.filter((directory) => !index.includes(`](../${directory}/README.md)`))).toEqual([])
})
