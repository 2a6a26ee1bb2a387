import { closeSync, openSync } from 'node:fs'
import { eventCounter } from '../base/event-counter.ts'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from './errors.ts'
import { ofLibc } from './libc.ts'

const taken = eventCounter('lockfile_lock')
const refused = eventCounter('lockfile_error')

/** struct flock of Linux on 64 bits: type, whence, start, length, pid. */
function flock(type: number): Buffer {
  const b = Buffer.alloc(32)
  b.writeInt16LE(type, 0)
  b.writeInt16LE(0, 2)
  return b
}

const F_SETLK = 6
const F_GETLK = 5
const F_WRLCK = 1
const F_UNLCK = 2

/** fcntl(2); where it is not to be had nothing is locked. */
const loadFcntl = ofLibc(({ functions }) => {
  if (process.arch === 'arm') return undefined
  // The argument behind the dots must be passed as one: the calling convention may differ.
  const fn = functions.func('int fcntl(int fd, int cmd, ...)') as unknown as (
    fd: number,
    command: number,
    type: string,
    lock: Buffer,
  ) => number
  return (fd: number, command: number, lock: Buffer) => fn(fd, command, 'void *', lock)
})

/** Files locked by this process: a lock of fcntl(2) does not keep it from itself. */
const held = new Set<string>()

/**
 * Takes the lock that Open vSwitch's programs take on a lock file: fcntl(2) on the whole of it. The
 * descriptor stays open and the file is opened only once: closing any other would lose the lock.
 */
export function lockFile(path: string): { release(): void } | string {
  if (held.has(path)) return `${path}: cannot lock file because this process has already locked it`
  let fd: number
  try {
    fd = openSync(path, 'a+', 0o600)
  } catch (e) {
    return errorText(e)
  }
  const locked = lockDescriptor(fd)
  if (!locked.ok) {
    closeSync(fd)
    refused.hit()
    return `${path}: cannot lock file because it is already locked by pid ${locked.pid}`
  }
  held.add(path)
  taken.hit()
  return {
    release(): void {
      if (!held.delete(path)) return
      closeSync(fd)
    },
  }
}

/** Takes the lock of an open file; returns the process that has it instead, 0 when that is unknown. */
export function lockDescriptor(fd: number): { readonly ok: true } | { readonly ok: false; readonly pid: number } {
  const call = loadFcntl()
  if (!call || call(fd, F_SETLK, flock(F_WRLCK)) === 0) return { ok: true }
  const holder = flock(F_WRLCK)
  const known = call(fd, F_GETLK, holder) === 0 && holder.readInt16LE(0) !== F_UNLCK
  return { ok: false, pid: known ? holder.readInt32LE(24) : 0 }
}

/** Whether files can be locked at all: there is no fcntl(2) without the optional package koffi. */
export function canLock(): boolean {
  return loadFcntl() !== undefined
}

/**
 * The process that has the lock of the file at a path; undefined where nobody has it, there is no such file, or that
 * cannot be known. An error where the file is there and cannot be opened.
 * Must not be asked of a file that this process has locked: closing it would lose the lock.
 */
export function lockHolder(path: string): Result<number | undefined> {
  const call = loadFcntl()
  if (!call || held.has(path)) return ok(undefined)
  let fd: number
  try {
    fd = openSync(path, 'r+')
  } catch (e) {
    return (e as NodeJS.ErrnoException).code === 'ENOENT' ? ok(undefined) : err(errorText(e))
  }
  const holder = flock(F_WRLCK)
  const known = call(fd, F_GETLK, holder) === 0 && holder.readInt16LE(0) !== F_UNLCK
  closeSync(fd)
  return ok(known ? holder.readInt32LE(24) : undefined)
}
