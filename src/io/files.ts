import {
  closeSync,
  existsSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { lockFile } from './lock.ts'

class NodeFile {
  private end: number

  constructor(private readonly fd: number) {
    this.end = fstatSync(fd).size
  }

  get size(): number {
    return this.end
  }

  read(position: number, length: number): Uint8Array {
    const buffer = Buffer.allocUnsafe(length)
    let got = 0
    while (got < length) {
      const n = readSync(this.fd, buffer, got, length - got, position + got)
      if (n === 0) break
      got += n
    }
    return buffer.subarray(0, got)
  }

  write(position: number, bytes: Uint8Array): void {
    let put = 0
    while (put < bytes.length) put += writeSync(this.fd, bytes, put, bytes.length - put, position + put)
    this.end = Math.max(this.end, position + bytes.length)
  }

  truncate(size: number): void {
    ftruncateSync(this.fd, size)
    this.end = size
  }

  sync(done: (error?: Error) => void): void {
    fdatasync(this.fd, (error) => done(error ?? undefined))
  }

  syncNow(): void {
    fdatasyncSync(this.fd)
  }

  close(): void {
    closeSync(this.fd)
  }
}

/** The system's files. */
export const systemFiles = {
  open(path: string, mode: 'read' | 'write' | 'create' | 'replace'): NodeFile {
    const flags = { read: 'r', write: 'r+', create: 'wx+', replace: 'w+' }[mode]
    return new NodeFile(openSync(path, flags, 0o640))
  },
  exists: (path: string): boolean => existsSync(path),
  rename: (from: string, to: string): void => renameSync(from, to),
  remove: (path: string): void => unlinkSync(path),
  syncDirectory(path: string): void {
    const fd = openSync(dirname(path), 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  },
  resolve(path: string): string {
    return existsSync(path) ? realpathSync(path) : path
  },
  lock(path: string): { release(): void } | string {
    return lockFile(join(dirname(path), `.${basename(path)}.~lock~`))
  },
}
