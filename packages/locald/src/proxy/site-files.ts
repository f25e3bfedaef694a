// Finds the file of a site that a path means, and none outside of the site's directory.
import { realpath, stat } from 'node:fs/promises'
import { isAbsolute, join, relative, sep } from 'node:path'

export type SiteFile =
  /** Relative to the real directory, with "/" between names. */
  | { readonly type: 'file'; readonly path: string }
  /** A directory that was named without the "/" at its end, which its relative links need. */
  | { readonly type: 'directory'; readonly name: string }

/** Of a path as it was sent, without its query. Null: there is no such file, or it lies elsewhere. */
export async function findSiteFile(directory: string, encodedPath: string): Promise<SiteFile | null> {
  const path = decoded(encodedPath)
  if (path === null) return null
  const found = await realFile(directory, path)
  if (found?.isDirectory === true) {
    if (!path.endsWith('/')) return { type: 'directory', name: path.slice(path.lastIndexOf('/') + 1) }
    return await plainFile(directory, `${path}index.html`)
  }
  // A path with "/" at its end is no file's.
  if (path.endsWith('/')) return null
  return found === null ? await plainFile(directory, `${path}.html`) : { type: 'file', path: found.path }
}

async function plainFile(directory: string, path: string): Promise<SiteFile | null> {
  const found = await realFile(directory, path)
  return found === null || found.isDirectory ? null : { type: 'file', path: found.path }
}

function decoded(path: string): string | null {
  try {
    const plain = decodeURIComponent(path)
    const names = plain.split(/[/\\]/u)
    const isHidden = names.some((name) => name.startsWith('.') && name !== '.well-known')
    return plain.includes('\0') || isHidden ? null : plain
  } catch {
    return null
  }
}

interface RealFile {
  readonly path: string
  readonly isDirectory: boolean
}

/** What a path leads to when all links are followed. */
async function realFile(directory: string, path: string): Promise<RealFile | null> {
  try {
    const root = await realpath(directory)
    const file = await realpath(join(root, path))
    const way = relative(root, file)
    if (way === '..' || way.startsWith(`..${sep}`) || isAbsolute(way)) return null
    const stats = await stat(file)
    const isDirectory = stats.isDirectory()
    return isDirectory || stats.isFile() ? { path: way.split(sep).join('/'), isDirectory } : null
  } catch {
    return null
  }
}
