import { closeSync, fstatSync, ftruncateSync, openSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { err, ok, type Result } from '../base/result.ts'
import { errorText } from '../io/errors.ts'
import { canLock, lockDescriptor, lockHolder } from '../io/lock.ts'

/** A pidfile of this process, locked as long as the process lives. */
export interface Pidfile {
  /** False where there is no fcntl(2) to be had: then `ovs-appctl -t NAME` does not believe the file. */
  readonly locked: boolean
  remove(): void
}

/** Why the pidfile at a path is not ours to have; undefined where it is. */
function refusedBy(path: string): string | undefined {
  const holder = lockHolder(path)
  if (!holder.ok) return `${path}: pidfile check failed (${holder.error}), aborting`
  return holder.value === undefined ? undefined : `${path}: already running as pid ${holder.value}, aborting`
}

/**
 * Writes the pidfile and locks it. It is made beside its place and renamed into it, so that nobody ever reads
 * half of it; a file that another live process holds is refused unless `overwrite` is said.
 * @returns the error as the real daemons word it, without the program's name.
 */
export function writePidfile(path: string, overwrite: boolean): Result<Pidfile> {
  const refusal = overwrite ? undefined : refusedBy(path)
  if (refusal !== undefined) return err(refusal)
  const temporary = `${path}.tmp`
  let fd: number
  try {
    // Another one that starts at this moment may have made it: `a` cuts nothing off before the lock is ours.
    fd = openSync(temporary, 'a+', 0o644)
  } catch (e) {
    return err(`${temporary}: create failed (${errorText(e)})`)
  }
  const locked = lockDescriptor(fd)
  if (!locked.ok) {
    closeSync(fd)
    return err(`${temporary}: fcntl failed (Resource temporarily unavailable)`)
  }
  // Another one may have had this lock before, and put its pidfile into place since we looked.
  const late = overwrite ? undefined : refusedBy(path)
  if (late !== undefined) {
    removeOwn(temporary, fd)
    closeSync(fd)
    return err(late)
  }
  try {
    ftruncateSync(fd)
    writeSync(fd, `${process.pid}\n`)
    renameSync(temporary, path)
  } catch (e) {
    closeSync(fd)
    return err(`${temporary}: write failed (${errorText(e)})`)
  }
  return ok({
    locked: canLock(),
    remove: () => removeOwn(path, fd),
  })
}

/** Removes a file, unless another daemon's is at that place by now (--overwrite-pidfile). */
function removeOwn(path: string, fd: number): void {
  try {
    if (statSync(path).ino === fstatSync(fd).ino) unlinkSync(path)
  } catch {
    // Somebody was quicker.
  }
}
