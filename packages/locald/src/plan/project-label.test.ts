import { expect, test } from 'vitest'
import { projectLabel } from './project-label.ts'
import type { LabelledProject } from './project-label.ts'

const project = (name: string, root: string, file = 'locald.toml'): LabelledProject => ({
  id: `${root}/${file}`,
  name,
  root,
  file: `${root}/${file}`,
})

test('projectLabel() is the name where no other project has it', () => {
  const shop = project('shop', '/src/shop')
  expect(projectLabel(shop, [shop, project('blog', '/src/blog')])).toBe('shop')
})

test('projectLabel() tells projects of one name apart', () => {
  const all = [project('shop', '/src/a'), project('shop', '/src/b'), project('shop', '/src/b', 'other.toml')]
  expect(all.map((each) => projectLabel(each, all))).toEqual([
    'shop (/src/a)',
    'shop (/src/b/locald.toml)',
    'shop (/src/b/other.toml)',
  ])
})
