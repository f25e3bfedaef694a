import { expect, test } from 'vitest'
import { PullProgress } from './pull-image.ts'

test('PullProgress adds up the layers that are known so far', () => {
  const progress = new PullProgress('redis:7')
  expect(progress.text()).toBe('Pulling redis:7')
  progress.add({ status: 'Pulling from library/redis', id: '7' })
  progress.add({ status: 'Pulling fs layer', id: 'a' })
  progress.add({ status: 'Pulling fs layer', id: 'b' })
  progress.add({ status: 'Downloading', id: 'a', progressDetail: { current: 1_000_000, total: 4_000_000 } })
  progress.add({ status: 'Downloading', id: 'b', progressDetail: { current: 500_000, total: 2_000_000 } })
  expect(progress.text()).toBe('Pulling redis:7: 1.5 of 6.0 MB')
  progress.add({ status: 'Download complete', id: 'a' })
  expect(progress.text()).toBe('Pulling redis:7: 4.5 of 6.0 MB')
  progress.add({ status: 'Download complete', id: 'b' })
  progress.add({ status: 'Pull complete', id: 'a' })
  expect(progress.text()).toBe('Pulling redis:7: 1 of 2 layers are in place')
})
