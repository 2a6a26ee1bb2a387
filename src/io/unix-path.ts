import { closeSync, constants, openSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from './errors.ts'

/** The longest name that the kernel takes for a unix socket, bytes (unix(7)). Node 20 cuts longer ones without a word. */
export const MAX_SOCKET_NAME = 107

/** The error of a path with which nothing can be done. */
export const TOO_LONG = 'File name too long'

/** A name for a socket that the kernel takes. */
export interface SocketName {
  readonly name: string
  /** Once the socket is closed, or connected: the name may mean nothing any more. */
  release(): void
}

/**
 * How the kernel is to be told of the socket at `path`: by the path itself, or, where that is too long, by its
 * folder's open descriptor, as the real programs do. Errors: the system's, of the folder; `TOO_LONG`
 * where the last component alone is, or there is no such way (other systems than Linux).
 */
export function socketName(path: string): Result<SocketName> {
  if (fits(path)) return ok({ name: path, release() {} })
  if (process.platform !== 'linux') return err(TOO_LONG)
  let folder: number
  try {
    folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (e) {
    return err(errorText(e))
  }
  const name = `/proc/self/fd/${folder}/${basename(path)}`
  if (fits(name)) return ok({ name, release: () => closeSync(folder) })
  closeSync(folder)
  return err(TOO_LONG)
}

const fits = (name: string): boolean => Buffer.byteLength(name) <= MAX_SOCKET_NAME
