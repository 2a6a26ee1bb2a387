/** What ends a run of a ctl tool with a message on stderr: `ovn-nbctl: MESSAGE`, status 1. */
export class CtlError extends Error {
  constructor(
    message: string,
    readonly status = 1,
  ) {
    super(message)
  }
}

export function fatal(message: string, status = 1): never {
  throw new CtlError(message, status)
}
