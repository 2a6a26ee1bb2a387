import { dirname, resolve } from 'node:path'
import { err, ok, type Result } from '../base/result.ts'
import type { Endpoint } from '../io/socket.ts'
import { MAX_SOCKET_NAME, socketName, TOO_LONG } from '../io/unix-path.ts'
import { toolLog } from './_tool-log.ts'

/** The error of a connection method that is none, or leads nowhere: the real tools' EAFNOSUPPORT. */
export const NOT_SUPPORTED = 'Address family not supported by protocol'

const DEFAULT_PORT = 6640

/** Where sockets are whose names are relative (ovsdb(7), Connection Methods). */
export const socketPath = (name: string): string => {
  const rundir = process.env['OVS_RUNDIR'] || '/var/run/openvswitch'
  return name === '' ? `${rundir}/` : resolve(rundir, name)
}

/** `unix:FILE`, `tcp:HOST[:PORT]`, `ssl:HOST[:PORT]`. What is wrong with it is logged as the real tools log it. */
export function readActive(method: string): Result<Endpoint> {
  const [, kind, rest = ''] = /^(unix|tcp|ssl):(.*)$/s.exec(method) ?? []
  if (kind === undefined) return err(NOT_SUPPORTED)
  if (kind === 'unix') return unixEndpoint(socketPath(rest))
  const named = rest.split(':').filter((word) => word).length > 1
  if (!named) toolLog('stream', 'warn', 'The default OVSDB port number has changed from 6632 to 6640')
  const address = named ? rest : `${rest}:${DEFAULT_PORT}`
  const [, v6, host, port] = /^(?:\[([^\]]*)\]|([^:]*)):([^:]+)$/.exec(address) ?? []
  const failed = (why?: string): Result<Endpoint> => {
    if (why !== undefined) toolLog('socket_util', 'err', `${address}: ${why}`)
    toolLog(`stream_${kind}`, 'err', `${kind}:${address}: connect: ${NOT_SUPPORTED}`)
    return err(NOT_SUPPORTED)
  }
  if (port === undefined) return failed('port must be specified')
  if (!isPort(port)) return failed(`bad port number "${port}"`)
  const name = v6 ?? host ?? ''
  return name === '' ? failed() : ok({ kind: kind as 'tcp' | 'ssl', host: name, port: Number(port) })
}

/** `punix:FILE`, `ptcp:[PORT][:HOST]`, `pssl:[PORT][:HOST]`. */
export function readPassive(method: string): Result<Endpoint> {
  const [, kind, rest = ''] = /^p(unix|tcp|ssl):(.*)$/s.exec(method) ?? []
  if (kind === undefined) return err(NOT_SUPPORTED)
  if (kind === 'unix') return unixEndpoint(socketPath(rest))
  const [, port = '', v6, host] = /^([^:]*)(?::(?:\[([^\]]*)\]?|(.*)))?$/.exec(rest) ?? []
  if (port !== '' && !isPort(port)) {
    toolLog('socket_util', 'err', `${rest}: bad port number "${port}"`)
    return err(NOT_SUPPORTED)
  }
  const address = v6 ?? host ?? ''
  return ok({
    kind: kind as 'tcp' | 'ssl',
    host: address === '' ? '0.0.0.0' : address,
    port: Number(port || DEFAULT_PORT),
  })
}

const isPort = (text: string): boolean => /^\d+$/.test(text) && Number(text) < 65536

/** A socket by its path; why there is none of such a path is logged. */
function unixEndpoint(path: string): Result<Endpoint> {
  const name = socketName(path)
  if (name.ok) {
    name.value.release()
    return ok({ kind: 'unix', path })
  }
  if (name.error !== TOO_LONG) toolLog('socket_util_unix', 'warn', `${dirname(path)}: open failed (${name.error})`)
  toolLog('socket_util_unix', 'warn', `Unix socket name ${path} is longer than maximum ${MAX_SOCKET_NAME} bytes`)
  return name
}
