import type { ServiceType } from '@locald/protocol'

/**
 * The direct address of a service, without any proxy: `http://…`, or the scheme of a managed database with the user and
 * database it is created with. Of characters that mean something to a shell it contains none but the brackets around an IPv6
 * address, which are a pattern that no file's path matches.
 */
export function urlFor(type: ServiceType, host: string, port: number): string {
  const authority = `${host.includes(':') ? `[${host}]` : host}:${port}`
  switch (type) {
    case 'postgres':
      return `postgres://postgres@${authority}/postgres`
    case 'redis':
      return `redis://${authority}`
    default:
      return `http://${authority}`
  }
}
