import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import {
  containerNotifyPath,
  makeContainerNotifyFolder,
  removeContainerNotifyFolder,
  removeNotifyFiles,
} from './notify-address.ts'

test.runIf(process.platform === 'linux')(
  'removeNotifyFiles() leaves the folders that containers have mounted, without their sockets',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'notify-'))
    try {
      const path = containerNotifyPath('r1', directory) ?? ''
      makeContainerNotifyFolder(path)
      for (const file of [path, join(directory, 'r2.notify'), join(directory, 'api.sock')]) writeFileSync(file, '')
      const folder = statSync(dirname(path))
      expect(folder.mode & 0o777).toBe(0o711)
      removeNotifyFiles(directory)
      makeContainerNotifyFolder(path)
      expect(statSync(dirname(path)).ino).toBe(folder.ino)
      expect(existsSync(path)).toBe(false)
      expect(existsSync(join(directory, 'r2.notify'))).toBe(false)
      expect(existsSync(join(directory, 'api.sock'))).toBe(true)
      removeContainerNotifyFolder('r1', directory)
      expect(existsSync(dirname(path))).toBe(false)
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
)

test('containerNotifyPath() is null for a path that no socket can have', () => {
  expect(containerNotifyPath('r1', `/${'x'.repeat(100)}`)).toBeNull()
})
