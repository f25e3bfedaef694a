import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { systemBundle } from '../certificates/ca-bundle.ts'
import { systemStore } from './system-store.ts'
import { createPrivatePlace, faultsOf, hasProgram, removeFrom, trustIn } from './testing/private-place.ts'
import type { PrivatePlace } from './testing/private-place.ts'

interface Layout {
  readonly family: string
  readonly anchors: string
  readonly extension: string
  readonly program: string
  readonly bundle: string
  /** With what it has to be called. */
  readonly args: string
}

const layouts: readonly Layout[] = [
  {
    family: 'Debian, Ubuntu',
    anchors: 'usr/local/share/ca-certificates',
    extension: 'crt',
    program: 'usr/sbin/update-ca-certificates',
    bundle: 'etc/ssl/certs/ca-certificates.crt',
    args: '',
  },
  {
    family: 'Fedora, RHEL',
    anchors: 'etc/pki/ca-trust/source/anchors',
    extension: 'pem',
    program: 'usr/bin/update-ca-trust',
    bundle: 'etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
    args: 'extract',
  },
  {
    family: 'Arch',
    anchors: 'etc/ca-certificates/trust-source/anchors',
    extension: 'crt',
    program: 'usr/bin/trust',
    bundle: 'etc/ssl/certs/ca-certificates.crt',
    args: 'extract-compat',
  },
  {
    family: 'SUSE',
    anchors: 'etc/pki/trust/anchors',
    extension: 'pem',
    program: 'usr/sbin/update-ca-certificates',
    bundle: 'var/lib/ca-certificates/ca-bundle.pem',
    args: '',
  },
]

/** Stands in for the program of another system: makes the bundle of what is among the anchors. */
function placeLayout(place: PrivatePlace, { anchors, extension, program, bundle, args }: Layout): void {
  place.write(`${anchors}/`)
  const makes = `cat "${place.root}/${anchors}"/*.${extension} > "${place.root}/${bundle}" 2>/dev/null || :`
  place.write(
    program,
    `#!/bin/sh -eu\n[ "$*" = "${args}" ] || [ "$*" = "--fresh" ] || exit 64\nmkdir -p "${dirname(join(place.root, bundle))}"\n${makes}\n`,
    0o755,
  )
}

test.each(layouts)('$family: a CA is added, verified by a handshake, and removed without a trace', async (layout) => {
  using place = createPrivatePlace()
  placeLayout(place, layout)
  const [authority] = await place.authorities.ensure(['localhost'])
  const store = await systemStore(place)
  expect(store).toMatchObject({
    id: 'system',
    label: `The system (${layout.family})`,
    obstacle: null,
    needsRoot: false,
  })
  expect(await faultsOf(place, [store])).toEqual(['The system has no bundle of CAs'])
  expect(await trustIn(place, [store])).toEqual(new Map())
  expect(await faultsOf(place, [store])).toEqual([null])
  const files = readdirSync(join(place.root, layout.anchors))
  expect(files).toEqual([`locald-${authority?.fingerprint.slice(0, 16)}.${layout.extension}`])
  expect(await removeFrom(place, [store])).toEqual(['system'])
  expect(readdirSync(join(place.root, layout.anchors))).toEqual([])
  expect(await faultsOf(place, [store])).toEqual([expect.any(String)])
})

test('several CAs lie side by side, and those of others stay', async () => {
  using place = createPrivatePlace()
  const [layout] = layouts
  if (layout === undefined) throw new Error('There are layouts')
  placeLayout(place, layout)
  const foreign = place.write(`${layout.anchors}/company.crt`, 'of somebody else\n')
  await place.authorities.ensure(['localhost'])
  await place.authorities.ensure(['test'])
  const store = await systemStore(place)
  await trustIn(place, [store])
  expect(await faultsOf(place, [store])).toEqual([null, null])
  expect(readdirSync(dirname(foreign))).toHaveLength(3)
  await removeFrom(place, [store])
  expect(readdirSync(dirname(foreign))).toEqual(['company.crt'])
})

test('an update that fails is said', async () => {
  using place = createPrivatePlace()
  place.write('usr/local/share/ca-certificates/')
  place.write('usr/sbin/update-ca-certificates', '#!/bin/sh\necho "disk is full" >&2\nexit 1\n', 0o755)
  await place.authorities.ensure(['localhost'])
  const failures = await trustIn(place, [await systemStore(place)])
  expect(failures.get('system')).toMatch(/update-ca-certificates failed: disk is full$/u)
})

test('a system without the program, or with an unknown layout, has an obstacle and what to do', async () => {
  using place = createPrivatePlace()
  place.write('etc/os-release', 'ID=debian\n')
  expect((await systemStore(place)).obstacle?.reason).toBe('Its store has no layout that locald knows')
  place.write('usr/local/share/ca-certificates/')
  expect((await systemStore(place)).obstacle).toEqual({
    reason: '"update-ca-certificates" is missing',
    fix: 'sudo apt-get install ca-certificates',
  })
})

test('a CA that was added by hand where the layout is unknown is verified as well', async () => {
  using place = createPrivatePlace()
  const [authority] = await place.authorities.ensure(['localhost'])
  place.write('etc/ssl/certs/ca-certificates.crt', authority?.certificate)
  expect(await faultsOf(place, [await systemStore(place)])).toEqual([null])
})

/** What p11-kit is told to read there; `anchors` lies below it. */
const sources: Readonly<Record<string, string>> = {
  'Fedora, RHEL': 'etc/pki/ca-trust/source',
  Arch: 'etc/ca-certificates/trust-source',
  SUSE: 'etc/pki/trust',
}
const p11Layouts = layouts.filter(({ family }) => family in sources)
const canMount = spawnSync('unshare', ['-rm', 'true']).status === 0
const p11Test = test.runIf(hasProgram('trust') && hasProgram('openssl') && canMount)

/** The program of that system, as far as it matters here: its call of p11-kit, the real one, which reads this root alone. */
function placeP11Kit(place: PrivatePlace, { family, anchors, program, bundle, args }: Layout): void {
  place.write(`${anchors}/`)
  place.write(`${dirname(bundle)}/`)
  const paths = join(place.root, sources[family] ?? '')
  place.write('p11/ours.module', `module: p11-kit-trust.so\ntrust-policy: yes\nx-init-reserved: paths='${paths}'\n`)
  place.write(
    program,
    `#!/bin/sh -eu
[ "$*" = "${args}" ] || exit 64
exec unshare -rm /bin/sh -euc '
  mount --bind "$1/p11" /usr/share/p11-kit/modules
  extract() { trust extract --overwrite --filter=ca-anchors --purpose=server-auth "$@"; }
  extract --format=pem-bundle --comment "$2"
  extract --format=pem-directory-hash "$1/hashed"
  chmod u+w "$1/hashed"
' sh "${place.root}" "${join(place.root, bundle)}"
`,
    0o755,
  )
}

describe.each(p11Layouts)('p11-kit with the directories of $family', (layout) => {
  p11Test('takes over the CA, which openssl then trusts, until it is removed', async () => {
    using place = createPrivatePlace()
    placeP11Kit(place, layout)
    using stranger = createPrivatePlace()
    const [foreign] = await stranger.authorities.ensure(['localhost'])
    place.write(`${layout.anchors}/company.${layout.extension}`, foreign?.certificate)
    const [authority] = await place.authorities.ensure(['localhost'])
    const store = await systemStore(place)
    expect(await trustIn(place, [store])).toEqual(new Map())
    expect(await faultsOf(place, [store])).toEqual([null])
    const bundle = (): string => readFileSync(join(place.root, layout.bundle), 'utf8')
    expect(bundle()).toContain(foreign?.certificate.trim())
    expect(bundle()).toContain(authority?.certificate.trim())
    const now = Date.now()
    const leaf = await place.authorities.issue('web.localhost', { notBefore: now - 1000, notAfter: now + 60_000 })
    const file = place.write('leaf.pem', leaf.certificate)
    const verify = (): string =>
      execFileSync('openssl', ['verify', '-no-CAfile', '-CApath', join(place.root, 'hashed'), file], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      })
    expect(verify()).toContain('OK')
    await removeFrom(place, [store])
    expect(bundle()).toContain(foreign?.certificate.trim())
    expect(bundle()).not.toContain(authority?.certificate.trim())
    expect(verify).toThrow('Command failed')
  })
})

const debianTest = test.runIf(hasProgram('update-ca-certificates') && hasProgram('openssl'))

debianTest(
  "Debian's own program, on a copy of its directories: openssl trusts the CA until it is removed",
  async () => {
    using place = createPrivatePlace()
    const directory = (path: string): string => place.write(`${path}/`)
    const certificates = directory('etc/ssl/certs')
    place.write(
      'usr/sbin/update-ca-certificates',
      `#!/bin/sh -eu
exec /usr/sbin/update-ca-certificates --certsconf "${place.write('etc/ca-certificates.conf', '\n')}" \\
  --certsdir "${directory('usr/share/ca-certificates')}" --localcertsdir "${directory('usr/local/share/ca-certificates')}" \\
  --etccertsdir "${certificates}" --hooksdir "${directory('etc/ca-certificates/update.d')}" "$@"
`,
      0o755,
    )
    using stranger = createPrivatePlace()
    const [foreign] = await stranger.authorities.ensure(['localhost'])
    place.write('usr/local/share/ca-certificates/company.crt', foreign?.certificate)
    await place.authorities.ensure(['localhost'])
    const store = await systemStore(place)
    expect(await trustIn(place, [store])).toEqual(new Map())
    expect(await faultsOf(place, [store])).toEqual([null])
    const now = Date.now()
    const leaf = await place.authorities.issue('web.localhost', { notBefore: now - 1000, notAfter: now + 60_000 })
    const file = place.write('leaf.pem', leaf.certificate)
    const verify = (...args: readonly string[]): string =>
      execFileSync('openssl', ['verify', ...args, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    expect(verify('-no-CAfile', '-CApath', certificates)).toContain('OK')
    expect(verify('-no-CApath', '-CAfile', (await systemBundle(place.root)) ?? '')).toContain('OK')
    await removeFrom(place, [store])
    expect(() => verify('-no-CAfile', '-CApath', certificates)).toThrow('Command failed')
    expect(readdirSync(certificates).filter((name) => name.includes('locald'))).toEqual([])
    expect(readFileSync(join(certificates, 'ca-certificates.crt'), 'utf8')).toBe(foreign?.certificate)
  },
)
