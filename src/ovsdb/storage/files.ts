/** An open file, as the log needs it. Every call throws the system's error as it is. */
export interface LogFile {
  readonly size: number
  /** Up to `length` bytes; fewer only at the end of the file. */
  read(position: number, length: number): Uint8Array
  /** Writes at `position`, all of it or throws. */
  write(position: number, bytes: Uint8Array): void
  truncate(size: number): void
  /** Calls `done` when everything written before is safe from a crash of the machine. */
  sync(done: (error?: Error) => void): void
  syncNow(): void
  close(): void
}

/** The part of a file system that storage needs; a double of it loses what was not synced. */
export interface FileSystem {
  /** `create`: fails when it exists. `replace`: empty, whatever was there. */
  open(path: string, mode: 'read' | 'write' | 'create' | 'replace'): LogFile
  exists(path: string): boolean
  rename(from: string, to: string): void
  remove(path: string): void
  /** Makes a rename safe from a crash of the machine. */
  syncDirectory(path: string): void
  /** The file behind symbolic links: where a rename must put a new one. */
  resolve(path: string): string
  /** Takes the lock that tools respect (`.FILE.~lock~`); a text says who has it. */
  lock(path: string): { release(): void } | string
}

/** Bytes that were read already, as a file that only can be read. */
export function bytesFile(bytes: Uint8Array): LogFile {
  const refuse = (): never => {
    throw new Error('the file is only to be read')
  }
  return {
    size: bytes.length,
    read: (position, length) => bytes.subarray(position, position + length),
    write: refuse,
    truncate: refuse,
    sync: (done) => done(),
    syncNow: () => {},
    close: () => {},
  }
}
