import { err, type Result } from '../../base/result.ts'
import type { ByteStream } from '../../base/stream.ts'
import { dial, type Endpoint, listen, parseActive, parsePassive } from '../../io/socket.ts'
import { dialTls, listenTls, type TlsKeys } from '../../io/tls.ts'
import type { Listening, Transport } from '../server/remotes.ts'

/** Unix, TCP and TLS sockets. `keys` gives what TLS needs at the moment it is needed. */
export function socketTransport(keys: () => Result<TlsKeys>): Transport {
  const passive = (method: string) => /^p(unix|tcp|ssl):/.test(method)
  const parse = (method: string): Endpoint | undefined =>
    passive(method) ? parsePassive(method) : (parseActive(method) ?? parseActive(`${method}:6640`))
  return {
    passive,
    check: (method) =>
      parse(method) ? undefined : `unknown or malformed connection method (Address family not supported by protocol)`,
    listen(method, accept, ready, refused): void {
      const endpoint = parse(method)
      const done = (result: Result<Listening>) => ready(result)
      if (!endpoint) done(err('Address family not supported by protocol'))
      else if (endpoint.kind === 'ssl') listenTls(endpoint, { keys, refused }, accept, done)
      else listen(endpoint, accept, done)
    },
    dial(method: string, done: (result: Result<ByteStream>) => void): () => void {
      const endpoint = parse(method)
      if (!endpoint) {
        done(err('Address family not supported by protocol'))
        return () => {}
      }
      if (endpoint.kind !== 'ssl') return dial(endpoint, done)
      const with_ = keys()
      if (with_.ok) return dialTls(endpoint, with_.value, done)
      done(with_)
      return () => {}
    },
  }
}
