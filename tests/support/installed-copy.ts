// The built package in a directory of its own, as if it had been installed there.
import { execFileSync } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const packageDirectory = fileURLToPath(new URL('../../packages/locald', import.meta.url))
const modules = join(packageDirectory, '../../node_modules')
/** What is not part of the bundles, with its binaries. */
const dependencies = ['koffi', '@koromix']

/** Makes the directory, and returns the path of the command in it. Its packages are those of this tree. */
export function installCopy(directory: string): string {
  const command = copyPrograms(directory)
  symlinkSync(modules, join(directory, 'node_modules'))
  return command
}

/** The same for other users, who may have no way into this tree. */
export function installForOthers(directory: string): string {
  const command = copyPrograms(directory)
  for (const name of dependencies)
    cpSync(join(modules, name), join(directory, 'node_modules', name), { recursive: true })
  execFileSync('chmod', ['-R', 'a+rX', directory])
  return command
}

function copyPrograms(directory: string): string {
  for (const part of ['bin', 'dist', 'package.json']) {
    cpSync(join(packageDirectory, part), join(directory, part), { recursive: true })
  }
  return join(directory, 'bin/locald.cjs')
}
