import type { ErrorBody, LocaldError } from '@locald/protocol'

/** An error as it is answered. */
export function errorBody({ code, message, hint, diagnostics }: LocaldError): ErrorBody {
  return {
    error: {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(diagnostics.length === 0 ? {} : { diagnostics }),
    },
  }
}
