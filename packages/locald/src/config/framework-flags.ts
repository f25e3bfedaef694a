// How programs that do not look at PORT, or not at HOST, are told where to listen. Every row agrees with the program's own
// reference, its sources or its help; what could not be confirmed has no row, since the port is found out without one too.

export interface FrameworkFlags {
  /** Its name, for people. */
  readonly framework: string
  /** Words after its command line; `$PORT` is the shell's to fill in. */
  readonly flags: readonly string[]
}

interface Listening {
  readonly port: readonly string[]
  /** A flag and its value; empty where it has none. */
  readonly host: readonly string[]
}

interface Rule extends Listening {
  readonly program: string
  readonly framework: string
  /** Its subcommands that serve; `null` stands for none given. */
  readonly serving: readonly (string | null)[]
}

const plain: Listening = { port: ['--port', '$PORT'], host: ['--host', '127.0.0.1'] }
/** Otherwise it takes the next port when its own is held, and tells nobody. */
const strict: Listening = { ...plain, port: [...plain.port, '--strictPort'] }
const anyHost: Listening = { ...plain, host: [] }

/**
 * SvelteKit and others that are started by `vite` are Vite's. Those that heed PORT by themselves (Nuxt, Create React App, Vue
 * CLI, Parcel, `gatsby develop`, Rails) need no row.
 */
const rules: readonly Rule[] = [
  { program: 'vite', framework: 'Vite', serving: [null, 'dev', 'serve', 'preview'], ...strict },
  { program: 'vitepress', framework: 'VitePress', serving: [null, 'dev'], ...strict },
  { program: 'vitepress', framework: 'VitePress', serving: ['preview', 'serve'], ...anyHost },
  { program: 'astro', framework: 'Astro', serving: ['dev', 'preview'], ...plain },
  { program: 'ng', framework: 'Angular', serving: ['serve', 's', 'dev'], ...plain },
  { program: 'react-router', framework: 'React Router', serving: [null, 'dev'], ...strict },
  // The port of its classic `dev` is that of the compiler, not of the app.
  { program: 'remix', framework: 'Remix', serving: ['vite:dev'], ...strict },
  { program: 'rsbuild', framework: 'Rsbuild', serving: [null, 'dev', 'preview'], ...plain },
  { program: 'rspack', framework: 'Rspack', serving: ['dev', 'serve', 'server', 's', 'preview', 'p'], ...plain },
  // It heeds PORT, but listens on every address.
  {
    program: 'next',
    framework: 'Next.js',
    serving: [null, 'dev', 'start'],
    ...plain,
    host: ['--hostname', '127.0.0.1'],
  },
  // Phones come over the network, and the hosts of Expo are ways to reach it, of which it takes one only.
  { program: 'expo', framework: 'Expo', serving: ['start'], ...anyHost },
  { program: 'react-native', framework: 'React Native', serving: ['start'], ...anyHost },
  { program: 'webpack', framework: 'webpack', serving: ['serve', 'server', 's'], ...plain },
  { program: 'webpack-dev-server', framework: 'webpack', serving: [null], ...plain },
  { program: 'docusaurus', framework: 'Docusaurus', serving: ['start', 'serve'], ...plain },
  { program: 'storybook', framework: 'Storybook', serving: ['dev'], ...plain },
  // Its `--host` is where requests are sent on to.
  { program: 'wrangler', framework: 'Wrangler', serving: ['dev'], ...plain, host: ['--ip', '127.0.0.1'] },
  { program: 'flask', framework: 'Flask', serving: ['run'], ...plain },
  { program: 'uvicorn', framework: 'Uvicorn', serving: [null], ...plain },
  { program: 'fastapi', framework: 'FastAPI', serving: ['dev', 'run'], ...plain },
  { program: 'hugo', framework: 'Hugo', serving: ['server', 'serve'], ...plain, host: ['--bind', '127.0.0.1'] },
  { program: 'jekyll', framework: 'Jekyll', serving: ['serve', 'server', 's'], ...plain },
]

/**
 * `words` begin with the program. Null: it is unknown, does not serve in this way, or its port is written already; where it
 * then listens has to be found out.
 */
export function frameworkFlags([program = '', ...args]: readonly string[]): FrameworkFlags | null {
  // Jekyll alone writes the short one large.
  if (args.some((arg) => /^(--port(=|$)|-[pP])/.test(arg))) return null
  const name = program.slice(program.lastIndexOf('/') + 1)
  const subcommand = args[0] === undefined || args[0].startsWith('-') ? null : args[0]
  const rule = rules.find((candidate) => candidate.program === name && serves(candidate, subcommand))
  if (rule === undefined) return null
  return { framework: rule.framework, flags: [...rule.port, ...(hasHost(rule, args) ? [] : rule.host)] }
}

function serves({ serving }: Rule, subcommand: string | null): boolean {
  // A program without subcommands is given files and names instead.
  return serving.includes(subcommand) || (serving.length === 1 && serving[0] === null)
}

/** The short flag is `-h` to some and `-H` to others; where it means help instead, nothing is lost. */
function hasHost({ host: [flag = ''] }: Rule, args: readonly string[]): boolean {
  return args.some((arg) => arg === flag || arg.startsWith(`${flag}=`) || /^-[hH]/.test(arg))
}
