/** Exit code of a command that Ctrl-C ended: 128 and the number of SIGINT. */
export const interruptedExit = 130
