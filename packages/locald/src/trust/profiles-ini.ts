// Firefox's list of profiles.
import { isAbsolute, join } from 'node:path'

export interface FirefoxProfile {
  readonly name: string
  /** Absolute. */
  readonly directory: string
}

/** `base` is the directory that the list is in. Profiles may be anywhere. */
export function parseProfiles(text: string, base: string): readonly FirefoxProfile[] {
  const profiles: FirefoxProfile[] = []
  for (const section of text.split(/^\[/mu)) {
    if (!/^Profile\d+\]/u.test(section)) continue
    const value = (key: string): string | undefined => new RegExp(`^${key}=(.*?)\\s*$`, 'mu').exec(section)?.[1]
    const path = value('Path')
    if (path === undefined || path === '') continue
    const isRelative = value('IsRelative') !== '0' && !isAbsolute(path)
    profiles.push({ name: value('Name') ?? path, directory: isRelative ? join(base, path) : path })
  }
  return profiles
}
