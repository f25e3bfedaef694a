// Checks of names and ports: whether programs of this machine find what locald serves.
import { ownSuffixOf } from '../dns-suffix.ts'
import { answersDns, findsNames, isLoopback } from '../dns-trial.ts'
import type { Lookup } from '../dns-trial.ts'
import { planHosts } from '../hosts-file.ts'
import { namesInBlock, strayMarkers } from '../hosts-block.ts'
import type { PortTrial } from '../port-trial.ts'
import { resolvedDropIn } from '../resolved-drop-in.ts'
import type { DnsSetup } from '../resolved-drop-in.ts'
import { fault, fine, note, warning } from './verdict.ts'
import type { Verdict } from './verdict.ts'

/** Names below `localhost`, which browsers know by themselves. `names`: those in use. */
export async function checkLocalhostNames(names: readonly string[], look: Lookup): Promise<Verdict> {
  const own = names.filter((name) => name.endsWith('.localhost'))
  const asked = own.length > 0 ? own : ['locald-doctor.localhost']
  const found = await Promise.all(asked.map(async (name) => ({ name, addresses: await look(name) })))
  const wrong = found.find(({ addresses }) => addresses.some((address) => !isLoopback(address)))
  if (wrong !== undefined) {
    const explanation =
      'No name below localhost may lead to another machine: something on the way to the resolver answers for it.'
    const other = wrong.addresses.find((address) => !isLoopback(address)) ?? ''
    return fault(`"${wrong.name}" leads to ${other}`, { explanation, fix: 'locald admin sync-hosts' })
  }
  const unknown = found.filter(({ addresses }) => addresses.length === 0)
  if (unknown.length === 0) return fine('Names below localhost lead to this machine')
  const explanation =
    'Browsers and curl know them by themselves; other programs, Node among them, ask the system, which does not.'
  return note(
    `Programs do not find ${countedNames(
      unknown.map(({ name }) => name),
      own.length > 0,
    )}`,
    {
      explanation,
      fix: 'locald admin sync-hosts',
    },
  )
}

/** Names elsewhere, which nobody knows by himself. */
export async function checkOtherNames(names: readonly string[], look: Lookup): Promise<readonly Verdict[]> {
  const others = names.filter((name) => !name.endsWith('.localhost'))
  if (others.length === 0) return []
  const found = await Promise.all(others.map(async (name) => ({ name, addresses: await look(name) })))
  const lost = found.filter(({ addresses }) => addresses.length === 0 || !addresses.every(isLoopback))
  if (lost.length === 0) return [fine(`${others.join(', ')} ${others.length === 1 ? 'leads' : 'lead'} to this machine`)]
  return [
    fault(`${lost.map(({ name }) => name).join(', ')} not found`, {
      explanation: `No browser finds them.${wholeSuffixAdvice(lost.map(({ name }) => name))}`,
      fix: 'locald admin sync-hosts',
    }),
  ]
}

/** Of names that are below suffixes of somebody else only the hosts file may speak. */
function wholeSuffixAdvice(names: readonly string[]): string {
  const suffixes = [...new Set(names.map(ownSuffixOf))].filter((suffix) => suffix !== null)
  if (suffixes.length === 0) return ''
  const options = suffixes.map((suffix) => `--dns ${suffix}`).join(' ')
  return ` For every name below ${suffixes.join(', ')} at once: locald admin setup ${options}`
}

/** Null: the file cannot be read. `names` null: nobody knows which are in use. */
export function checkHostsFile(text: string | null, names: readonly string[] | null): readonly Verdict[] {
  if (text === null) {
    const explanation = 'Without it not even "localhost" is sure to be known.'
    return [warning('The hosts file cannot be read', { explanation })]
  }
  if (strayMarkers(text) > 0) {
    const explanation =
      'A line "# locald begin" or "# locald end" stands without the other one, so that nobody knows what is locald\'s.'
    return [warning('The block in the hosts file is damaged', { explanation, fix: 'sudo nano /etc/hosts' })]
  }
  const written = namesInBlock(text)
  if (written.length === 0) return [fine('Nothing of locald is in the hosts file')]
  if (names === null) return [fine(`${written.length} names of locald are in the hosts file`)]
  const { added, removed } = planHosts(
    text,
    names.filter((name) => !name.startsWith('*.')),
  )
  if (added.length === 0 && removed.length === 0) return [fine('The names in the hosts file are up to date')]
  const explanation = [
    ...(added.length > 0 ? [`Not in it yet: ${added.join(', ')}.`] : []),
    ...(removed.length > 0 ? [`Not in use any more: ${removed.join(', ')}.`] : []),
  ].join(' ')
  return [warning('The names in the hosts file are out of date', { explanation, fix: 'locald admin sync-hosts' })]
}

export interface PortsInUse {
  readonly http: number
  readonly https: number
}

/** `proxy` null: it does not run. */
export function checkPorts(trials: readonly PortTrial[], proxy: PortsInUse | null): readonly Verdict[] {
  if (proxy?.https === 443 && proxy.http === 80) return [fine('locald serves at ports 80 and 443')]
  const instead = proxy === null ? '' : `; locald serves at ${proxy.http} and ${proxy.https}`
  const ours = (port: number): boolean => proxy !== null && (proxy.http === port || proxy.https === port)
  const held = trials.find(({ result, port }) => result === 'held' && !ours(port))
  if (held !== undefined) {
    const explanation = `Addresses need a port in them${instead}. End what has the port, then replace the daemon.`
    return [
      note(`Port ${held.port} is taken by ${held.holder ?? 'somebody else'}`, {
        explanation,
        fix: 'locald server restart',
      }),
    ]
  }
  if (trials.some(({ result }) => result === 'refused')) {
    const explanation = `Addresses need a port in them${instead}. One step that needs root changes that.`
    return [note('Ports 80 and 443 are for root alone', { explanation, fix: 'locald admin setup' })]
  }
  if (proxy === null) return [fine('Ports 80 and 443 are free to use')]
  const explanation = `They have become free since locald was started${instead}.`
  return [note('Ports 80 and 443 could be used', { explanation, fix: 'locald server restart' })]
}

export interface DnsInputs {
  /** Null: nobody has asked for DNS. */
  readonly setup: DnsSetup | null
  readonly isDaemonUp: boolean
  /** Text of the drop-in for systemd-resolved; null: there is none. */
  readonly dropIn: string | null
  readonly look: Lookup
}

export async function checkDns({ setup, isDaemonUp, dropIn, look }: DnsInputs): Promise<readonly Verdict[]> {
  if (setup === null) {
    if (dropIn === null) return []
    const explanation = 'systemd-resolved asks a DNS server that this locald does not have.'
    return [warning('The DNS setup is of another locald', { explanation, fix: 'locald admin setup --undo' })]
  }
  const again = `locald admin setup ${setup.suffixes.map((suffix) => `--dns ${suffix}`).join(' ')}`
  if (dropIn !== resolvedDropIn(setup)) {
    const explanation = 'systemd-resolved is not told whom to ask, or to ask somebody else.'
    return [warning('The DNS setup is not complete', { explanation, fix: again })]
  }
  if (!isDaemonUp)
    return [
      note('Names by DNS wait for the daemon', {
        explanation: 'It answers them while it runs.',
        fix: 'locald server start',
      }),
    ]
  const suffixes = setup.suffixes.join(', ')
  if (!(await answersDns(setup))) {
    const explanation = `Nothing that answers listens on port ${setup.port}: somebody else has it, or had it when the daemon began.`
    return [fault('DNS does not answer', { explanation, fix: 'locald server restart' })]
  }
  if (await findsNames(setup, look)) return [fine(`DNS answers for ${suffixes}`)]
  const explanation =
    'The daemon answers, but the system does not ask it. Either there is no network, without which systemd-resolved asks nobody; or resolved.conf has a "DNS=" of its own, whose servers may be asked instead; or /etc/resolv.conf does not lead to systemd-resolved. Names in the hosts file are found in any case.'
  return [warning(`The system does not find names below ${suffixes}`, { explanation, fix: 'locald admin sync-hosts' })]
}

function countedNames(names: readonly string[], areInUse: boolean): string {
  if (!areInUse) return 'names below localhost'
  return names.length <= 3 ? names.join(', ') : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
}
