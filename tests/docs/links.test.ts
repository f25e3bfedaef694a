import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

const pages = ['.', 'docs', 'docs/decisions'].flatMap((directory) =>
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

test.each(pages)('every path of the source that %s names exists', (page) => {
  const text = readFileSync(join(root, page), 'utf8')
  const paths = [...text.matchAll(/`((?:packages|tests|scripts|examples|benchmarks|docs)\/[\w./-]+)`/gu)].map(
    ([, path = '']) => path,
  )
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test('docs/README.md names every page and docs/decisions/README.md every decision', () => {
  for (const directory of ['docs', 'docs/decisions']) {
    const index = readFileSync(join(root, directory, 'README.md'), 'utf8')
    const files = readdirSync(join(root, directory)).filter((name) => name.endsWith('.md') && name !== 'README.md')
    expect(files.filter((name) => !index.includes(`](${name})`))).toEqual([])
  }
})
