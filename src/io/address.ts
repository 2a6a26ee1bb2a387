import { err, ok, type Result } from '../base/result.ts'

/**
 * A connection method as Open vSwitch writes it (ovsdb(7), Connection Methods): active `tcp:HOST:PORT`,
 * `ssl:HOST:PORT`, `unix:FILE`; passive `ptcp:PORT[:IP]`, `pssl:PORT[:IP]`, `punix:FILE`.
 */
export type Method =
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number }
  | { readonly kind: 'ptcp' | 'pssl'; readonly host: string | undefined; readonly port: number }
  | { readonly kind: 'unix' | 'punix'; readonly path: string }

/** Node cuts longer paths without a word. */
const MAX_PATH = 107

function parsePort(text: string, otherwise: number | undefined): number | undefined {
  if (text === '') return otherwise
  if (!/^[0-9]{1,5}$/.test(text)) return undefined
  const port = Number(text)
  return port <= 65535 ? port : undefined
}

/** `HOST:PORT` or `PORT:HOST`, either with an IPv6 address in brackets. */
function split(text: string): [string, string | undefined] {
  const m = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (m) return [m[1] as string, m[2]]
  const colon = text.indexOf(':')
  return colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)]
}

const bare = (host: string) => host.replace(/^\[(.*)\]$/, '$1')

/** @param defaultPort for a method that names none: 6640 for OVSDB, 6653 for OpenFlow. */
export function parseMethod(text: string, defaultPort: number): Result<Method> {
  const colon = text.indexOf(':')
  const kind = colon < 0 ? text : text.slice(0, colon)
  const rest = colon < 0 ? '' : text.slice(colon + 1)
  switch (kind) {
    case 'unix':
    case 'punix':
      if (!rest) return err(`${text}: missing file name`)
      if (Buffer.byteLength(rest) > MAX_PATH) {
        return err(`${rest}: path longer than the ${MAX_PATH} bytes that a Unix domain socket may have`)
      }
      return ok({ kind, path: rest })
    case 'tcp':
    case 'ssl': {
      const [host, portText] = split(rest)
      const port = parsePort(portText ?? '', defaultPort)
      if (!host) return err(`${text}: host must be specified`)
      if (port === undefined || port === 0) return err(`${text}: bad port number "${portText}"`)
      return ok({ kind, host, port })
    }
    case 'ptcp':
    case 'pssl': {
      const at = rest.indexOf(':')
      const portText = at < 0 ? rest : rest.slice(0, at)
      const port = parsePort(portText, defaultPort)
      if (port === undefined) return err(`${text}: bad port number "${portText}"`)
      const host = at < 0 ? undefined : bare(rest.slice(at + 1))
      return ok({ kind, host: host || undefined, port })
    }
    default:
      return err(`${text}: unknown connection method`)
  }
}
