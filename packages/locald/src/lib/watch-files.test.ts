import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { watchFiles } from './watch-files.ts'

interface Scene extends Disposable {
  readonly root: string
  write(file: string, text?: string): void
  /** What the next change that is told of is about. */
  next(): Promise<readonly string[]>
}

/** Watches once everything is set up. */
async function watching(
  patterns: readonly string[],
  files: readonly string[] = [],
  excluded: readonly string[] = [],
): Promise<Scene> {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'watch-')))
  const told: (readonly string[])[] = []
  let wake = (): void => undefined
  const write = (file: string, text = String(Math.random())): void => {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  for (const file of files) write(file)
  const watcher = watchFiles({
    root,
    patterns: [...patterns, 'probe/*'],
    excluded: excluded.map((directory) => join(root, directory)),
    quietMs: 100,
    onChange: (changed) => {
      told.push(changed)
      wake()
    },
    onError: (error) => {
      throw error
    },
  })
  const next = async (): Promise<readonly string[]> => {
    for (;;) {
      const first = told.shift()
      if (first !== undefined) return first
      await new Promise<void>((resolve) => (wake = resolve))
    }
  }
  await watcher.ready
  const scene: Scene = {
    root,
    write,
    next,
    [Symbol.dispose]: () => {
      watcher[Symbol.dispose]()
      rmSync(root, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return scene
}

/** Whatever was to be told before this is told by then. */
async function expectNothingBut(scene: Scene, files: readonly string[]): Promise<void> {
  scene.write('probe/last')
  expect((await scene.next()).toSorted()).toEqual([...files, 'probe/last'].toSorted())
}

test('watchFiles() tells what was changed, made and removed, all at once when it has come to rest', async () => {
  using scene = await watching(['src/**'], ['src/a.ts', 'src/gone.ts', 'other.ts'])
  scene.write('src/a.ts')
  scene.write('src/deep/er/b.ts')
  rmSync(join(scene.root, 'src/gone.ts'))
  scene.write('other.ts')
  expect((await scene.next()).toSorted()).toEqual(['src/a.ts', 'src/deep/er/b.ts', 'src/gone.ts'])
})

test('watchFiles() matches by extension, in braces, and leaves out what "!" names', async () => {
  using scene = await watching(['**/*.{ts,tsx}', '!src/gen/**'], ['src/a.ts'])
  scene.write('src/gen/c.ts')
  scene.write('src/a.css')
  scene.write('src/b.tsx')
  await expectNothingBut(scene, ['src/b.tsx'])
})

test('watchFiles() leaves out what tools write, unless a pattern begins with it', async () => {
  using scene = await watching(['**/*.js', 'dist/**'], ['node_modules/x/index.js', '.git/a.js', 'build/b.js'])
  scene.write('node_modules/x/index.js')
  scene.write('.git/a.js')
  scene.write('build/b.js')
  scene.write('src/__pycache__/c.js')
  scene.write('src/a.js~')
  scene.write('dist/d.txt')
  await expectNothingBut(scene, ['dist/d.txt'])
})

test('watchFiles() takes a name without a star for a file, or for a directory with all in it', async () => {
  using scene = await watching(['config.json', './lib/'], ['config.json', 'lib/a/b.rb', 'package.json'])
  scene.write('package.json')
  scene.write('config.json')
  scene.write('lib/a/b.rb')
  await expectNothingBut(scene, ['config.json', 'lib/a/b.rb'])
})

test('watchFiles() sees a directory that comes to be later', async () => {
  using scene = await watching(['later/on/**'])
  scene.write('later/on/a.txt')
  expect(await scene.next()).toEqual(['later/on/a.txt'])
  scene.write('later/on/a.txt')
  expect(await scene.next()).toEqual(['later/on/a.txt'])
})

test('watchFiles() sees a file that an editor replaces by another one', async () => {
  using scene = await watching(['src/*.ts'], ['src/a.ts'])
  scene.write('src/.a.ts.swp')
  scene.write('src/a.ts.new')
  renameSync(join(scene.root, 'src/a.ts.new'), join(scene.root, 'src/a.ts'))
  expect(await scene.next()).toEqual(['src/a.ts'])
  scene.write('src/a.ts')
  expect(await scene.next()).toEqual(['src/a.ts'])
})

test('watchFiles() does not look into directories that it is told to leave out', async () => {
  using scene = await watching(['**'], ['own/state/log'], ['own'])
  scene.write('own/state/log')
  await expectNothingBut(scene, [])
})

test('watchFiles() is silent once it is disposed of', async () => {
  const scene = await watching(['src/**'], ['src/a.ts'])
  scene.write('src/a.ts')
  scene[Symbol.dispose]()
  using other = await watching(['src/**'], ['src/a.ts'])
  other.write('src/a.ts')
  expect(await other.next()).toEqual(['src/a.ts'])
  expect(await Promise.race([scene.next(), Promise.resolve('nothing')])).toBe('nothing')
})

test('watchFiles() tells of what never comes to rest all the same', async () => {
  using scene = await watching(['log/*'], ['log/a'])
  const writing = setInterval(() => scene.write('log/a'), 20)
  try {
    expect(await scene.next()).toEqual(['log/a'])
  } finally {
    clearInterval(writing)
  }
})

test('watchFiles() tells of what was changed since a moment, before it came to look', async () => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'watch-')))
  for (const name of ['old', 'new']) writeFileSync(join(root, name), '')
  utimesSync(join(root, 'old'), 1000, 1000)
  utimesSync(join(root, 'new'), 3000, 3000)
  const { promise, resolve } = deferred<readonly string[]>()
  using _watcher = watchFiles({
    root,
    patterns: ['*'],
    excluded: [],
    since: 2_000_000,
    quietMs: 10,
    onChange: resolve,
    onError: (error) => {
      throw error
    },
  })
  expect(await promise).toEqual(['new'])
  rmSync(root, { recursive: true, force: true })
})

test.each([1, 2, 3, 4, 5])('watchFiles() misses nothing that happens at question %i of its first look', async (at) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'watch-')))
  for (const name of ['changed', 'same']) {
    writeFileSync(join(root, name), '')
    utimesSync(join(root, name), 1000, 1000)
  }
  let count = 0
  // Asked for each file and directory: when it was looked at, and before it is watched.
  const excluded = new Proxy<string[]>([], {
    get: (target, key) => {
      if (key === 'some' && ++count === at) {
        mkdirSync(join(root, 'new'))
        writeFileSync(join(root, 'new/deep'), '')
        writeFileSync(join(root, 'new.txt'), '')
        writeFileSync(join(root, 'changed'), 'other')
      }
      return Reflect.get(target, key) as unknown
    },
  })
  const told = new Set<string>()
  const { promise, resolve } = deferred<void>()
  using _watcher = watchFiles({
    root,
    patterns: ['**'],
    excluded,
    since: 2_000_000,
    quietMs: 10,
    onChange: (files) => {
      for (const file of files) told.add(file)
      if (told.size >= 3) resolve()
    },
    onError: (error) => {
      throw error
    },
  })
  await promise
  expect([...told].toSorted()).toEqual(['changed', 'new.txt', 'new/deep'])
  rmSync(root, { recursive: true, force: true })
})

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}
