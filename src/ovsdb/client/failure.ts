import type { Operation } from './operation.ts'
import { describeTransactError, type TransactError } from './replica.ts'

/** A transaction that did not come about; `reason` says why, by kind. */
export class TransactFailure extends Error {
  override readonly name = 'TransactFailure'
  constructor(
    readonly reason: TransactError,
    /** The whole transaction; empty where it was never made up. */
    readonly operations: readonly Operation[] = [],
  ) {
    super(describeTransactError(reason))
  }
}

/** Why there is no connection. */
export type ConnectError =
  /** A remote that can not be dialled whatever happens: its method is unknown, or it needs keys. */
  | { readonly kind: 'bad remote'; readonly remote: string; readonly error: string }
  /** The time is up; `last` is what was wrong last. */
  | { readonly kind: 'timeout'; readonly milliseconds: number; readonly last: string }
  /** The server's schema lacks what is `required`. */
  | { readonly kind: 'unsuitable'; readonly error: string }
  /** The server does not have the database, or not the one asked for. */
  | { readonly kind: 'no schema'; readonly error: string }

function describeConnectError(error: ConnectError): string {
  switch (error.kind) {
    case 'bad remote':
      return error.remote ? `${error.remote}: ${error.error}` : error.error
    case 'timeout':
      return `no contents within ${error.milliseconds} ms: ${error.last}`
    case 'unsuitable':
    case 'no schema':
      return error.error
  }
}

/** A connection that was not made. */
export class ConnectFailure extends Error {
  override readonly name = 'ConnectFailure'
  constructor(readonly reason: ConnectError) {
    super(describeConnectError(reason))
  }
}
