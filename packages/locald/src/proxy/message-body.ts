// How long a body is, and what is left of it.

/** Bytes of a body, or one of the two below. */
export type BodyLength = number
export const chunked = -1
/** The body ends with the connection. */
export const untilClose = -2
