import { below, type Random } from '../../base/random.ts'
import type { FileSystem, LogFile } from './files.ts'

interface Write {
  readonly at: number
  readonly bytes: Uint8Array | undefined
  readonly size: number | undefined
}

interface Node {
  synced: Uint8Array
  current: Uint8Array
  writes: Write[]
  /** How often all of it was synced at once: a sync that was begun before has nothing left to do. */
  whole: number
}

function put(content: Uint8Array, w: Write): Uint8Array {
  if (w.bytes) {
    const out = new Uint8Array(Math.max(content.length, w.at + w.bytes.length))
    out.set(content)
    out.set(w.bytes, w.at)
    return out
  }
  const out = new Uint8Array(w.size ?? 0)
  out.set(content.subarray(0, out.length))
  return out
}

/** A disk in memory that loses, at a crash, what was not synced: writes are forgotten, torn or out of order. */
export class FakeDisk implements FileSystem {
  private files = new Map<string, Node>()
  private directory = new Map<string, Node>()
  private pending: (() => void)[] = []
  /** Bytes that still fit. */
  room = Number.POSITIVE_INFINITY
  /** So many of the next syncs of files, and of directories, fail. */
  failingSyncs = 0
  failingDirectorySyncs = 0
  failingTruncates = 0
  failingOpens = 0
  /** Files that are open. */
  opened = 0

  open(path: string, mode: 'read' | 'write' | 'create' | 'replace'): LogFile {
    let node = this.files.get(path)
    const fail = (code: string) => {
      throw Object.assign(new Error(code), { code })
    }
    if (this.failingOpens && this.failingOpens--) fail('EMFILE')
    if (mode === 'create' && node) fail('EEXIST')
    if ((mode === 'read' || mode === 'write') && !node) fail('ENOENT')
    if (node && mode === 'replace') {
      // Whoever has it open writes to the same file.
      const w = { at: 0, bytes: undefined, size: 0 }
      node.current = put(node.current, w)
      node.writes.push(w)
    }
    if (!node) {
      node = { synced: new Uint8Array(), current: new Uint8Array(), writes: [], whole: 0 }
      this.files.set(path, node)
    }
    const file = node
    const disk = this
    disk.opened++
    return {
      get size() {
        return file.current.length
      },
      read: (position, length) => file.current.slice(position, position + length),
      write(at, bytes) {
        const fits = bytes.subarray(0, Math.max(0, Math.min(bytes.length, disk.room)))
        disk.room -= fits.length
        const w = { at, bytes: fits.slice(), size: undefined }
        file.current = put(file.current, w)
        file.writes.push(w)
        if (fits.length < bytes.length) fail('ENOSPC')
      },
      truncate(size) {
        if (disk.failingTruncates && disk.failingTruncates--) fail('EIO')
        const w = { at: 0, bytes: undefined, size }
        disk.room += Math.max(0, file.current.length - size)
        file.current = put(file.current, w)
        file.writes.push(w)
      },
      sync(done) {
        const { current } = file
        const count = file.writes.length
        const { whole } = file
        if (disk.failingSyncs > 0) {
          disk.failingSyncs--
          // The system forgets what it could not write, and says so once.
          disk.pending.push(() => {
            file.writes = file.writes.slice(count)
            done(Object.assign(new Error('EIO'), { code: 'EIO' }))
          })
          return
        }
        disk.pending.push(() => {
          if (file.whole === whole) {
            file.synced = current
            file.writes = file.writes.slice(count)
          }
          done()
        })
      },
      syncNow() {
        if (disk.failingSyncs > 0) {
          disk.failingSyncs--
          fail('EIO')
        }
        file.synced = file.current
        file.writes = []
        file.whole++
      },
      close() {
        disk.opened--
      },
    }
  }

  /** Lets the syncs that were asked for come true. */
  finishSyncs(): void {
    for (let next = this.pending.shift(); next; next = this.pending.shift()) next()
  }

  exists(path: string): boolean {
    return this.files.has(path)
  }

  rename(from: string, to: string): void {
    const node = this.files.get(from)
    if (!node) throw new Error('ENOENT')
    this.files.set(to, node)
    this.files.delete(from)
  }

  remove(path: string): void {
    this.files.delete(path)
  }

  syncDirectory(): void {
    if (this.failingDirectorySyncs > 0) {
      this.failingDirectorySyncs--
      throw Object.assign(new Error('EIO'), { code: 'EIO' })
    }
    this.directory = new Map(this.files)
  }

  resolve(path: string): string {
    return path
  }

  lock(): { release(): void } {
    return { release: () => {} }
  }

  contents(path: string): Uint8Array {
    return (this.files.get(path) as Node).current
  }

  setContents(path: string, content: Uint8Array): void {
    this.files.set(path, { synced: content, current: content, writes: [], whole: 0 })
    this.syncDirectory()
  }

  /** The machine stops: of what was not synced some comes through, in any order, and some of it torn. */
  crash(random: Random): void {
    this.pending = []
    this.files = new Map(this.directory)
    for (const node of new Set(this.files.values())) {
      let content = node.synced
      const writes = [...node.writes].filter(() => below(random, 2) === 1)
      for (const w of writes) {
        if (w.bytes && below(random, 3) === 0) {
          content = put(content, { ...w, bytes: w.bytes.subarray(0, below(random, w.bytes.length + 1)) })
        } else content = put(content, w)
      }
      node.synced = content
      node.current = content
      node.writes = []
    }
  }
}
