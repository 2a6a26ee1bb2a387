import { Malformed, Truncated } from '../../base/bytes.ts'
import { err, ok, type Result } from '../../base/result.ts'
import type { ErrorName, OpenFlowError } from './errors.ts'

/** Thrown inside a decoder for bytes that OpenFlow forbids; `decoding` turns it into a Result. */
export class Fault extends Malformed {
  constructor(readonly error: OpenFlowError) {
    super(typeof error === 'string' ? error : `error ${error.type}.${error.code}`)
  }
}

export function fault(name: ErrorName): never {
  throw new Fault(name)
}

/** Runs a decoder; what is cut short is `OFPBRC_BAD_LEN`. */
export function decoding<T>(read: () => T): Result<T, OpenFlowError> {
  try {
    return ok(read())
  } catch (e) {
    if (e instanceof Fault) return err(e.error)
    if (e instanceof Truncated) return err('OFPBRC_BAD_LEN')
    throw e
  }
}
