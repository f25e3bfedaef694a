import type { ServiceType } from '@locald/protocol'

/**
 * The direct address of a service, without any proxy: `http://…`, or the scheme of a managed database with the user and
 * database it is created with. Of characters that mean something to a shell it contains none.
 */
export function urlFor(type: ServiceType, host: string, port: number): string {
  switch (type) {
    case 'postgres':
      return `postgres://postgres@${host}:${port}/postgres`
    case 'redis':
      return `redis://${host}:${port}`
    default:
      return `http://${host}:${port}`
  }
}
