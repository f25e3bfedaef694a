// Which project has a host name that several would have. Pure.

/** A project, and the host names that it would have. */
export interface HostClaimant {
  readonly project: string
  readonly hosts: readonly string[]
  /** Something of it runs, or is about to. */
  readonly isUp: boolean
  /** When it was last brought up, milliseconds since the epoch; 0: never. */
  readonly upAt: number
}

/** Project ids by host name. */
export type HostHolders = ReadonlyMap<string, string>

/**
 * Every name has a holder. A project that is up keeps what it has; a name that nobody has who is up goes to the one that was
 * brought up first of those that are, else (so that it leads somewhere) to the one that was up last.
 */
export function settleHolders(before: HostHolders, claimants: readonly HostClaimant[]): HostHolders {
  const byHost = new Map<string, HostClaimant[]>()
  for (const claimant of claimants) {
    for (const host of claimant.hosts) {
      const others = byHost.get(host)
      if (others === undefined) byHost.set(host, [claimant])
      else others.push(claimant)
    }
  }
  return new Map([...byHost].map(([host, all]) => [host, holderAmong(all, before.get(host)).project]))
}

/** The names of a project that another one holds which is up, with who that is. */
export function heldByOthers(
  claimant: HostClaimant,
  holders: HostHolders,
  claimants: readonly HostClaimant[],
): readonly { readonly host: string; readonly holder: string }[] {
  return claimant.hosts.flatMap((host) => {
    const holder = claimants.find(({ project }) => project === holders.get(host))
    return holder === undefined || !holder.isUp || holder.project === claimant.project
      ? []
      : [{ host, holder: holder.project }]
  })
}

/** Those names of which it matters who had them, should this be told to another daemon. */
export function contestedHolders(
  holders: HostHolders,
  claimants: readonly HostClaimant[],
): Readonly<Record<string, string>> {
  const wanted = new Map<string, number>()
  for (const { isUp, hosts } of claimants) {
    if (isUp) for (const host of hosts) wanted.set(host, (wanted.get(host) ?? 0) + 1)
  }
  return Object.fromEntries([...holders].filter(([host]) => (wanted.get(host) ?? 0) > 1))
}

function holderAmong(claimants: readonly HostClaimant[], before: string | undefined): HostClaimant {
  const up = claimants.filter(({ isUp }) => isUp)
  const kept = up.find(({ project }) => project === before)
  const [first] = up.toSorted((a, b) => a.upAt - b.upAt)
  const [last] = claimants.toSorted((a, b) => b.upAt - a.upAt)
  const holder = kept ?? first ?? last
  if (holder === undefined) throw new Error('A name that nobody claims has no holder')
  return holder
}
