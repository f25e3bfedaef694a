// The part of @lydell/node-pty below its class, which loses output.
declare module '@lydell/node-pty/requireBinary.js' {
  /** Loads a file of the binary package for this system. */
  export function requireBinary(file: string): unknown
}
