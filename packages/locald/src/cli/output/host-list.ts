// Host names with the services that answer there.
import type { HostPlan } from '../../plan/plan.ts'
import type { Style } from './style.ts'
import { padEnd, textWidth } from './text-width.ts'

/** One line a host: `shop.localhost  /api → api, web`. */
export function renderHosts(hosts: readonly HostPlan[], style: Style): readonly string[] {
  const width = Math.max(0, ...hosts.map(({ host }) => textWidth(host)))
  return hosts.map(({ host, rules }) => {
    const targets = rules.map(({ prefix, service }) => (prefix === '/' ? service : `${prefix} → ${service}`))
    return `${style.cyan(padEnd(host, width))}  ${targets.join(', ')}`
  })
}
