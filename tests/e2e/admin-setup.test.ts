import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { installForOthers } from '../support/installed-copy.ts'
import { openNamespace, plainUser, whyNoNamespace } from '../support/namespace.ts'
import type { Namespace } from '../support/namespace.ts'

if (whyNoNamespace !== null) process.stderr.write(`"admin setup" is not tested: ${whyNoNamespace}\n`)

const file = '/etc/sysctl.d/60-locald.conf'
const start = '/proc/sys/net/ipv4/ip_unprivileged_port_start'

let installed = ''
let command = ''

interface Result {
  readonly code: number | null
  readonly output: string
}

/** `locald` as a plain user in the namespace. */
async function locald(namespace: Namespace, ...args: readonly string[]): Promise<Result> {
  const env = { HOME: '/nonexistent', LOCALD_HOME: `${namespace.directory}/home` }
  return await localdAs(namespace, { uid: plainUser, env }, ...args)
}

interface Who {
  /** Absent: root. */
  readonly uid?: number
  readonly env: Readonly<Record<string, string>>
}

async function localdAs(namespace: Namespace, { uid, env }: Who, ...args: readonly string[]): Promise<Result> {
  const [program, ...words] = namespace.enter(uid)
  const child = spawn(program, [...words, process.execPath, command, ...args], {
    cwd: '/',
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    new Promise<number | null>((resolve) => child.once('close', resolve)),
  ])
  return { code, output: stdout + stderr }
}

/** A user of the namespace alone, with a home there; systemd-resolved, as far as that can be seen, too. */
function addUser(namespace: Namespace): { readonly uid: number; readonly home: string } {
  const [uid, home, passwd] = [4242, `${namespace.directory}/ann`, `${namespace.directory}/passwd`]
  namespace.shell(`
    (cat /etc/passwd; echo 'ann:x:${uid}:${uid}::${home}:/bin/sh') > ${passwd}; mount --bind ${passwd} /etc/passwd
    mkdir -m 700 ${home}; chown ${uid}:${uid} ${home}; mkdir -m 700 ${namespace.directory}/root
    mkdir -p /run/systemd/resolve
    printf '#!/bin/sh\necho "$*" >> ${namespace.directory}/systemctl.log\n' > ${namespace.directory}/bin/systemctl
    chmod 755 ${namespace.directory}/bin/systemctl`)
  return { uid, home }
}

/** Also below where `scripts/install-test-tools.sh` puts it. */
const resolved = ['/usr/lib/systemd', '/lib/systemd', '/usr/local/lib/locald-test-tools']
  .map((directory) => join(directory, 'systemd-resolved'))
  .find((file) => existsSync(file))

if (resolved === undefined) process.stderr.write('systemd-resolved is not tested with: it is not here\n')

/** systemd-resolved itself, asked by everything in the namespace, in a network without servers. "systemctl" starts it anew. */
function startResolved(namespace: Namespace): AsyncDisposable {
  const { directory } = namespace
  const systemctl = `${directory}/bin/systemctl`
  namespace.shell(`
    ip link add v0 type veth peer name v1; ip address add 10.99.0.1/24 dev v0; ip link set v0 up; ip link set v1 up
    echo 'systemd-resolve:x:993:993::/:/usr/sbin/nologin' >> ${directory}/passwd
    chown 993:993 /run/systemd/resolve
    echo 'nameserver 127.0.0.53' > ${directory}/resolv.conf; mount --bind ${directory}/resolv.conf /etc/resolv.conf
    printf '%s\\n' '#!/bin/sh' 'kill "$(cat /run/resolved.pid)"' \\
      'while kill -0 "$(cat /run/resolved.pid)" 2>&-; do sleep 0.01; done' 'exec ${directory}/bin/start-resolved' > ${systemctl}
    printf '%s\\n' '#!/bin/sh' '${resolved} >&- 2>&- <&- & echo $! > /run/resolved.pid' \\
      "until ss -H -lun 'src 127.0.0.53' | grep -q .; do sleep 0.01; done" > ${directory}/bin/start-resolved
    chmod 755 ${systemctl} ${directory}/bin/start-resolved
    ${directory}/bin/start-resolved`)
  return {
    [Symbol.asyncDispose]: async () => {
      namespace.shell('kill "$(cat /run/resolved.pid)"')
      await Promise.resolve()
    },
  }
}

function systemPath({ directory }: Namespace): string {
  return `${directory}/bin:/usr/sbin:/usr/bin:/sbin:/bin`
}

describe.skipIf(whyNoNamespace !== null)('admin setup', () => {
  beforeAll(() => {
    // The directory of the tests is closed to others.
    installed = mkdtempSync('/tmp/h-')
    command = installForOthers(join(installed, 'i'))
    chmodSync(installed, 0o755)
  })
  afterAll(() => rmSync(installed, { recursive: true, force: true }))

  test('shows its plan, changes nothing without being asked to, opens the ports by sudo, and puts everything back', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    namespace.shell(`echo 1000 > ${start}`)

    const dry = await locald(namespace, 'admin', 'setup', '--dry-run')
    expect(dry.code).toBe(0)
    expect(dry.output).toContain(`write  ${file}`)
    expect(dry.output).toContain(`${start}: 1000 → 80`)
    expect(dry.output).toContain('Every user and program of this machine')
    expect(dry.output).toMatch(/It would run: \/\S+\/sudo -n -- \/\S+\/node \/\S+\/cli\.cjs admin setup --apply\n/)
    expect(namespace.shell(`ls /etc/sysctl.d; cat ${start}`)).toBe('1000\n')

    const done = await locald(namespace, 'admin', 'setup')
    expect(done).toMatchObject({ code: 0 })
    expect(done.output).toMatch(/✓ Port 80: you may open it\n✓ Port 443: you may open it\n/)
    expect(namespace.shell(`cat ${start}; stat -c '%U %a' ${file}`)).toBe('80\nroot 644\n')
    expect(namespace.shell(`cat ${file}`)).toMatch(
      /^# Lets .*\n# Before: 1000\nnet\.ipv4\.ip_unprivileged_port_start = 80\n$/,
    )

    const again = await locald(namespace, 'admin', 'setup')
    expect(again.output).toContain('Nothing had to be changed')
    expect(namespace.shell(`wc -l < ${namespace.directory}/sudo.log`)).toBe('1\n')

    const undone = await locald(namespace, 'admin', 'setup', '--undo')
    expect(undone).toMatchObject({ code: 0 })
    expect(namespace.shell(`ls /etc/sysctl.d; cat ${start}`)).toBe('1000\n')
    expect((await locald(namespace, 'admin', 'setup', '--undo')).output).toBe('There is nothing to undo\n')
  })

  test('by sudo it is the locald of whoever called that: its daemon answers DNS, and every file is theirs', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d', '/etc/systemd', '/run'])
    const { uid, home } = addUser(namespace)
    const { directory } = namespace
    const sudo = { SUDO_UID: String(uid), SUDO_GID: String(uid), SUDO_USER: 'ann', HOME: `${directory}/root` }
    const ann = { uid, env: { HOME: home, LOCALD_HTTP_PORT: '0', LOCALD_HTTPS_PORT: '0' } }
    const asRoot = (env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<Result> =>
      localdAs(namespace, { env: { ...sudo, PATH: systemPath(namespace), ...env } }, ...args)
    const owners = (path: string): string => namespace.shell(`find ${path} -printf '%U %m\\n' | sort -u`)

    const done = await asRoot({}, 'admin', 'setup', '--dns', 'test')
    expect(done).toMatchObject({ code: 0 })
    expect(done.output).toMatch(
      /✓ Port 443: you may open it\n• Names below test .*; answered after: locald server start\n/,
    )
    expect(namespace.shell('cat /etc/systemd/resolved.conf.d/locald.conf')).toContain('Domains=~test')
    expect(namespace.shell(`cat ${directory}/systemctl.log`)).toBe('restart systemd-resolved\n')
    expect(owners(`${home}/.local`)).toBe(`${uid} 600\n${uid} 700\n`)
    expect(namespace.shell(`find ${directory}/root -mindepth 1`)).toBe('')

    expect(await localdAs(namespace, ann, 'server', 'start')).toMatchObject({ code: 0 })
    const again = await asRoot({}, 'admin', 'setup', '--dns', 'test')
    // Of this systemd-resolved nothing but a directory is there.
    expect(again.output).toMatch(
      /• Names below test are asked of 127\.0\.0\.1:15353; not found by the system, .*\nNothing had to be changed\n$/,
    )
    expect(await localdAs(namespace, ann, 'server', 'stop')).toMatchObject({ code: 0 })

    expect(await asRoot({}, 'admin', 'setup', '--undo')).toMatchObject({ code: 0 })
    expect(namespace.shell(`find /etc/systemd /etc/sysctl.d ${home} -name 'locald.conf' -o -name 'dns.json'`)).toBe('')

    // The environment kept, as "sudo -E" does.
    const kept = { HOME: home, LOCALD_HOME: `${home}/other` }
    expect(await asRoot(kept, 'admin', 'setup', '--dns', 'test')).toMatchObject({ code: 0 })
    expect(owners(`${home}/other`)).toBe(`${uid} 600\n${uid} 700\n`)
    expect(await asRoot(kept, 'admin', 'setup', '--undo')).toMatchObject({ code: 0 })
    expect(namespace.shell(`find ${home}/other -type f`)).toBe('')
  })

  test.skipIf(resolved === undefined)(
    'systemd-resolved asks a running daemon from then on, until it is undone',
    async () => {
      await using namespace = await openNamespace(['/etc/sysctl.d', '/etc/systemd', '/run'])
      const { uid, home } = addUser(namespace)
      await using _resolver = startResolved(namespace)
      const env = { HOME: home, LOCALD_HTTP_PORT: '0', LOCALD_HTTPS_PORT: '0', PATH: systemPath(namespace) }
      const ann = { uid, env }
      const sudo = { SUDO_UID: String(uid), SUDO_GID: String(uid), SUDO_USER: 'ann', HOME: '/root', PATH: env.PATH }
      const find = (name: string): string => namespace.shell(`getent ahosts ${name} | cut -d' ' -f1 | sort -u`)
      const dnsCheck = async (): Promise<unknown> => {
        const { output } = await localdAs(namespace, ann, 'doctor', '--json')
        return (JSON.parse(output) as { findings: { id: string }[] }).findings.find(({ id }) => id === 'dns')
      }

      expect(await localdAs(namespace, ann, 'server', 'start')).toMatchObject({ code: 0 })
      expect(find('shop.test')).toBe('')
      const done = await localdAs(namespace, { env: sudo }, 'admin', 'setup', '--dns', 'test')
      expect(done.output).toMatch(/✓ Names below test are asked of 127\.0\.0\.1:15353\n/)
      expect(find('api.shop.test')).toBe('127.0.0.1\n::1\n')
      expect(find('shop.example')).toBe('')
      expect(await dnsCheck()).toMatchObject({ severity: 'ok' })

      namespace.shell('ip link set v0 down')
      expect(await dnsCheck()).toMatchObject({ severity: 'warning', fix: 'locald admin sync-hosts' })
      namespace.shell('ip link set v0 up')

      expect(await localdAs(namespace, { env: sudo }, 'admin', 'setup', '--undo')).toMatchObject({ code: 0 })
      expect(find('shop.test')).toBe('')
      expect(await localdAs(namespace, ann, 'server', 'stop')).toMatchObject({ code: 0 })
    },
  )

  test('a suffix of the internet is refused before anything is asked or changed', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    for (const suffix of ['com', 'example.com']) {
      const { code, output } = await locald(namespace, 'admin', 'setup', '--yes', '--dns', suffix)
      expect(code).toBe(2)
      expect(output).toContain('hint: Write just the names that you need to the hosts file: locald admin sync-hosts')
    }
    expect(namespace.shell(`cat ${start} ${namespace.directory}/sudo.log; ls /etc/sysctl.d`)).toBe('1024\n')
  })

  test('names who has a port, and a file that says otherwise later', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    namespace.shell(`echo 'net.ipv4.ip_unprivileged_port_start = 512' > /etc/sysctl.d/90-other.conf`)
    const [program, ...words] = namespace.enter()
    const listen = `require('net').createServer().listen(80, '127.0.0.1', () => console.log('on'))`
    const holder = spawn(program, [...words, process.execPath, '-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] })
    await new Promise((resolve) => holder.stdout.once('data', resolve))
    const { code, output } = await locald(namespace, 'admin', 'setup')
    holder.kill('SIGKILL')
    expect(output).toContain('"/etc/sysctl.d/90-other.conf" sets net.ipv4.ip_unprivileged_port_start as well')
    expect(output).toMatch(/✗ Port 80: taken by a process of user "root"/)
    expect(output).toContain('✓ Port 443: you may open it')
    expect(code).toBe(0)
  })

  test('leaves a value alone that somebody else has set since', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    await locald(namespace, 'admin', 'setup')
    namespace.shell(`echo 443 > ${start}`)
    await locald(namespace, 'admin', 'setup', '--undo')
    expect(namespace.shell(`ls /etc/sysctl.d; cat ${start}`)).toBe('443\n')
  })

  test('says what to run as root where sudo refuses', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    namespace.shell(
      `printf '#!/bin/sh\\necho "sudo: a password is required" >&2; exit 1\\n' > ${namespace.directory}/bin/sudo`,
    )
    const { code, output } = await locald(namespace, 'admin', 'setup')
    expect(code).toBe(1)
    expect(output).toContain(
      'sudo: a password is required\nerror: The step that needs root was not done: sudo exited with 1',
    )
    expect(output).toMatch(/hint: As root, run: \S+\/node \S+\/cli\.cjs admin setup --apply/)
    expect(namespace.shell(`ls /etc/sysctl.d; cat ${start}`)).toBe('1024\n')
  })

  test('the hosts file gets its block by sudo, from names that are given', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    namespace.shell(`printf '127.0.0.1 localhost' > /mnt/hosts`)
    const sync = (...args: readonly string[]): Promise<Result> =>
      locald(namespace, 'admin', 'sync-hosts', '--hosts-file', '/mnt/hosts', ...args)
    const dry = await sync('--dry-run', 'shop.test')
    expect(dry.output).toMatch(
      /^\+ shop\.test\n\nIt would run: .* admin sync-hosts --quiet --hosts-file \/mnt\/hosts -- shop\.test\n/,
    )
    expect(namespace.shell('cat /mnt/hosts')).toBe('127.0.0.1 localhost')
    const wrong = await sync('shop.test', 'localhost')
    expect(wrong).toMatchObject({ code: 1 })
    expect(wrong.output).toContain('"localhost" was left out: it is the name of this machine')
    expect(namespace.shell('cat /mnt/hosts')).toMatch(/\n127\.0\.0\.1\tshop\.test\n::1\tshop\.test\n# locald end\n$/)
    expect((await sync('shop.test')).output).toContain('/mnt/hosts is as it should be')
    expect(await sync('--remove')).toMatchObject({ code: 0, output: expect.stringContaining('- shop.test') })
    expect(namespace.shell('cat /mnt/hosts; ls -A /mnt')).toBe('127.0.0.1 localhostbin\nhosts\nsudo.log\n')
  })

  test('a name that is written to the hosts file, or removed from it, has another address at once', async () => {
    await using namespace = await openNamespace(['/etc/sysctl.d'])
    const { directory } = namespace
    namespace.shell(`printf '127.0.0.1 localhost\\n' > ${directory}/hosts; mount --bind ${directory}/hosts /etc/hosts`)
    const urlOf = async (): Promise<unknown> =>
      JSON.parse((await locald(namespace, 'alias', '--json')).output) as unknown
    expect((await locald(namespace, 'alias', 'shop.test', '3000')).output).toContain('sync-hosts')
    expect(await urlOf()).toMatchObject({ aliases: [{ host: 'shop.test', url: null }] })
    expect(await locald(namespace, 'admin', 'sync-hosts')).toMatchObject({ code: 0 })
    expect(await urlOf()).toMatchObject({ aliases: [{ url: expect.stringMatching(/^http:\/\/shop\.test/) }] })
    expect(await locald(namespace, 'admin', 'sync-hosts', '--remove')).toMatchObject({ code: 0 })
    expect(await urlOf()).toMatchObject({ aliases: [{ url: null }] })
    expect(await locald(namespace, 'server', 'stop')).toMatchObject({ code: 0 })
  })
})
